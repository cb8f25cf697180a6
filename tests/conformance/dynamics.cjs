// Drives dynamics-web-api, for tests/it/conform_web_api.rs: one JSON request a line
// on standard input, one JSON answer a line on standard output.
//
//   {"call": "create", "args": [{...}]}
//   {"batch": [["create", {...}], ...], "options": {...}}
//   {"surface": true}                the client's public operations
'use strict'

const readline = require('node:readline')
const { DynamicsWebApi } = require('dynamics-web-api')

async function token () {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: process.env.CLIENT_ID,
    client_secret: process.env.CLIENT_SECRET,
    scope: process.env.SCOPE
  })
  const reply = await fetch(process.env.TOKEN_URL, { method: 'POST', body: form })
  return (await reply.json()).access_token
}

// JSON has no dates; one member of a request may be one.
function given (value) {
  if (value && typeof value === 'object' && '$date' in value) return new Date(value.$date)
  if (Array.isArray(value)) return value.map(given)
  if (value && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, given(inner)]))
  }
  return value
}

function shown (error) {
  return { message: error.message, status: error.status, code: error.code, headers: error.headers }
}

function surface (api) {
  const isOperation = ([, value]) => typeof value === 'function'
  const own = Object.entries(api).filter(isOperation).map(([name]) => name)
  const helpers = Object.entries(api.Utility).filter(isOperation).map(([name]) => `Utility.${name}`)
  return { operations: [...own, ...helpers] }
}

async function answer (api, asked) {
  if (asked.surface) return surface(api)
  if (asked.batch) {
    api.startBatch()
    for (const [name, request] of asked.batch) api[name](given(request))
    const results = await api.executeBatch(asked.options)
    return results.map((result) => result instanceof Error ? { error: shown(result) } : result ?? null)
  }
  return api[asked.call](...given(asked.args ?? []))
}

async function main () {
  const access = await token()
  const api = new DynamicsWebApi({
    serverUrl: process.env.ENVIRONMENT,
    dataApi: { version: '9.2' },
    onTokenRefresh: async () => access
  })
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let out
    try {
      const value = await answer(api, JSON.parse(line))
      out = { ok: value === undefined ? null : value }
    } catch (error) {
      out = { error: Array.isArray(error) ? { all: error.map(shown) } : shown(error) }
    }
    process.stdout.write(JSON.stringify(out) + '\n')
  }
}

main().catch((error) => {
  process.stderr.write(String(error.stack) + '\n')
  process.exit(1)
})
