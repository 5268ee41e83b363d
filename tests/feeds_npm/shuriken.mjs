// Reads streams of the simulator with @shuriken/sdk-ts, and prints what it gets.
//
// node shuriken.mjs '{"url":..., "key":..., "streams":[[stream, filter], ...], "n":...}'
// Lines: {"state":...}, {"stream":..., "payload":...}, {"error":...}. Ends after n
// payloads, or when the connection fails.
import { createShurikenClient } from '@shuriken/sdk-ts'

const { url, key, streams, n } = JSON.parse(process.argv[2])
const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`)
const client = createShurikenClient({ apiBaseUrl: url, apiKey: key })
let left = n

function end() {
  client.ws.disconnect()
  process.exit(0)
}

client.ws.onConnectionStateChange(({ state, reason }) => {
  print({ state, reason })
})
try {
  await client.ws.connect()
} catch (error) {
  print({ error: error.name, message: error.message })
  process.exit(1)
}
for (const [stream, filter] of streams) {
  client.ws.subscribe(
    stream,
    filter,
    (payload) => {
      if (left <= 0) return
      print({ stream, payload })
      left -= 1
      if (left === 0) end()
    },
    (error) => print({ stream, error })
  )
}
setTimeout(() => process.exit(2), 30000)
