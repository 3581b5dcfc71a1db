// One turn of postgres.js: runs a query from so many tasks at once and says how often it did.
//
// It is told what to do by a line of JSON, and answers by one.

import { readFileSync } from 'node:fs'

const order = JSON.parse(readFileSync(0, 'utf8'))
const { default: postgres } = await import(order.module)
const sql = postgres(order.dsn, { max: order.connections, onnotice: () => {} })

let next = 0

async function run() {
  const args = order.arguments[next++ % order.arguments.length]
  return await sql.unsafe(order.query, args, { prepare: true })
}

async function task(end) {
  let runs = 0
  do {
    await run()
    runs++
  } while (performance.now() < end)
  return runs
}

async function all(seconds) {
  const end = performance.now() + 1000 * seconds
  const tasks = Array.from({ length: order.tasks }, () => task(end))
  return (await Promise.all(tasks)).reduce((sum, runs) => sum + runs, 0)
}

const rows = await run()
if (rows.length === 0) throw new Error('no rows')
await all(order.warm_up)
const before = process.cpuUsage() // of all threads, in microseconds
const start = performance.now()
const runs = await all(order.seconds)
const seconds = (performance.now() - start) / 1000
const cpu = process.cpuUsage(before)
console.log(JSON.stringify({ runs, seconds, cpu_seconds: (cpu.user + cpu.system) / 1e6 }))
await sql.end()
