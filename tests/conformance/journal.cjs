// Reads a journal with Adobe's own client, for tests/it/sandbox_client.rs.
//
//   node journal.cjs read URL OPTIONS      one request; the result as JSON
//   node journal.cjs poll URL OPTIONS N    N events, one line each
//   node journal.cjs surface               the client's public operations
//
// Found through NODE_PATH; credentials and the token's address in variables.
'use strict'

const { init } = require('@adobe/aio-lib-events')

async function token () {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: process.env.CLIENT_ID,
    client_secret: process.env.CLIENT_SECRET,
    scope: 'AdobeID,openid,event_receiver_api,adobeio_api'
  })
  const reply = await fetch(process.env.TOKEN_URL, { method: 'POST', body: form })
  return (await reply.json()).access_token
}

function print (value) {
  process.stdout.write(JSON.stringify(value) + '\n')
}

async function main () {
  const [mode, url, options, count] = process.argv.slice(2)
  const access = mode === 'surface' ? 'none' : await token()
  const client = await init(process.env.ORGANIZATION, process.env.CLIENT_ID, access)
  if (mode === 'surface') {
    const names = Object.getOwnPropertyNames(Object.getPrototypeOf(client))
    print(names.filter((name) => name !== 'constructor' && !name.startsWith('_')))
    return
  }
  const asked = JSON.parse(options)
  if (mode === 'read') {
    try {
      print(await client.getEventsFromJournal(url, asked, true))
    } catch (error) {
      print({ error: error.message })
    }
    return
  }
  let left = Number(count)
  client.getEventsObservableFromJournal(url, asked).subscribe({
    next: (event) => {
      print(event)
      left -= 1
      if (left === 0) process.exit(0)
    },
    error: (error) => {
      print({ error: error.message })
      process.exit(1)
    }
  })
}

main().catch((error) => {
  process.stderr.write(String(error) + '\n')
  process.exit(1)
})
