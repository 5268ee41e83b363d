// Subscribes to channels of the simulator with pusher-js, and prints what it gets.
//
// node pusher.cjs '{"key":..., "host":..., "port":..., "tls":..., "auth":..., "token":...,
//                   "channels":[...], "events":[...], "n":...}'
// Lines: {"state":...}, {"error":...}, {"channel":..., "event":..., "data":...}; refusals
// and members are events too. After n events of those names it unsubscribes and ends.
const Pusher = require('pusher-js')

const given = JSON.parse(process.argv[2])
const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`)
let left = given.n

const pusher = new Pusher(given.key, {
  cluster: 'mt1',
  wsHost: given.host,
  wsPort: given.port,
  wssPort: given.port,
  forceTLS: given.tls,
  enabledTransports: ['ws', 'wss'],
  disableStats: true,
  activityTimeout: given.activity || 120000,
  pongTimeout: given.pong || 30000,
  channelAuthorization: {
    endpoint: given.auth,
    transport: 'ajax',
    headers: { Authorization: `Bearer ${given.token}` },
  },
})

function count() {
  left -= 1
  if (left !== 0) return
  for (const name of given.channels) pusher.unsubscribe(name)
  setTimeout(() => process.exit(0), 200)
}

pusher.connection.bind('state_change', ({ current }) => {
  print({ state: current })
  if (current === 'failed' || current === 'disconnected') process.exit(1)
})
pusher.connection.bind('error', (error) => {
  print({ error: error?.data ?? error?.error?.data ?? String(error?.type) })
})
for (const name of given.channels) {
  const channel = pusher.subscribe(name)
  channel.bind('pusher:subscription_succeeded', (members) => {
    const data = members?.members ? { me: members.myID, members: members.members } : {}
    print({ channel: name, event: 'subscribed', data })
  })
  channel.bind('pusher:subscription_error', (data) => {
    print({ channel: name, event: 'refused', data })
    if (given.events.includes('refused')) count()
  })
  channel.bind('pusher:member_added', (data) => {
    print({ channel: name, event: 'added', data })
    if (given.events.includes('added')) count()
  })
  channel.bind('pusher:member_removed', (data) => {
    print({ channel: name, event: 'removed', data })
    if (given.events.includes('removed')) count()
  })
  for (const event of given.events) {
    channel.bind(event, (data) => {
      if (left <= 0) return
      print({ channel: name, event, data })
      count()
    })
  }
}
setTimeout(() => process.exit(2), 30000)
