// Drives Adobe's Campaign client, for tests/it/conform_campaign.rs: one JSON request
// a line on standard input, one JSON answer a line on standard output.
//
//   {"call": "createProfile", "args": [{...}]}
//   {"follow": "http://..."}    the next page, which the client leaves to its caller
//   {"surface": true}           the client's public operations
'use strict'

const readline = require('node:readline')
const { init } = require('@adobe/aio-lib-campaign-standard')

async function token () {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: process.env.CLIENT_ID,
    client_secret: process.env.CLIENT_SECRET,
    scope: 'AdobeID,openid,campaign_sdk,campaign_config_server_general'
  })
  const reply = await fetch(process.env.TOKEN_URL, { method: 'POST', body: form })
  return (await reply.json()).access_token
}

function surface (client) {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(client))
  return { operations: names.filter((name) => name !== 'constructor' && !name.startsWith('_')) }
}

async function answer (client, access, asked) {
  if (asked.surface) return surface(client)
  if (asked.follow) {
    const headers = { authorization: `Bearer ${access}`, 'x-api-key': process.env.CLIENT_ID }
    const method = asked.method ?? 'GET'
    const body = asked.body === undefined ? undefined : JSON.stringify(asked.body)
    const reply = await fetch(asked.follow, { method, headers, body })
    const text = await reply.text()
    return { status: reply.status, body: text === '' ? null : JSON.parse(text) }
  }
  const result = await client[asked.call](...(asked.args ?? []))
  if (asked.call === 'postDataToUrl') {
    // This one hands out the reply as it came.
    const text = await result.text()
    return { status: result.status, body: text === '' ? null : JSON.parse(text) }
  }
  if (result && typeof result === 'object' && 'status' in result && 'headers' in result) {
    const empty = result.body === undefined || result.body === ''
    return { status: result.status, body: empty ? null : result.body }
  }
  return result
}

async function main () {
  const access = await token()
  const client = await init(process.env.TENANT, process.env.CLIENT_ID, access)
  // There is no option for another host.
  client.sdk.spec.servers[0].url = process.env.ENVIRONMENT + '/{ORGANIZATION}/campaign'
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let out
    try {
      const value = await answer(client, access, JSON.parse(line))
      out = { ok: value === undefined ? null : value }
    } catch (error) {
      out = { error: { message: error.message, code: error.code } }
    }
    process.stdout.write(JSON.stringify(out) + '\n')
  }
}

main().catch((error) => {
  process.stderr.write(String(error.stack) + '\n')
  process.exit(1)
})
