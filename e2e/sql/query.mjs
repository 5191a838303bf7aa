// Runs SQL on DuckDB in the current directory: a JSON object of name to SQL comes in
// on standard input, one of name to rows goes out. "prepare" runs first.
import { DuckDBInstance } from '@duckdb/node-api'
import { readFileSync } from 'node:fs'

const queries = JSON.parse(readFileSync(0, 'utf8'))
const connection = await (await DuckDBInstance.create(':memory:')).connect()
await connection.run(queries.prepare)
const answers = {}
for (const [name, sql] of Object.entries(queries)) {
  if (name !== 'prepare') {
    answers[name] = (await connection.runAndReadAll(sql)).getRowObjectsJson()
  }
}
console.log(JSON.stringify(answers))
