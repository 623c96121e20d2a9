import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type HttpApi, startApi } from '../support/cli/mailflow.ts'

let api: HttpApi
before(async () => {
  api = await startApi()
})
after(() => api.stop())

const principal = async () => ((await api.call('GET /caller')).body as { name: string }).name

test('`caller` names the IAM principal, which has no roles', async () => {
  assert.deepEqual(await api.mailflow('caller'), {
    status: 0,
    out: `${await principal()}\nIAM policies decide what it may do\n`,
    err: '',
  })
})

test('`caller --json` prints the response of the API', async () => {
  const { status, out } = await api.mailflow('caller', '--json')
  assert.deepEqual([status, JSON.parse(out)], [0, { name: await principal(), roles: null }])
})
