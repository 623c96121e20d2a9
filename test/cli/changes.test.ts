import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertFitsTerminal } from '../support/cli/fits-terminal.ts'
import { type HttpApi, startApi } from '../support/cli/mailflow.ts'

const now = Date.parse('2026-02-10T12:00:00.000Z')
let clock = now - 3_600_000
let api: HttpApi

before(async () => {
  api = await startApi(() => clock)
  const inbound = { name: 'Contoso', connectorType: 'Partner', senderDomains: ['contoso.example'] }
  const { body } = await api.call('POST /inbound-connectors', { json: inbound })
  clock = now
  await api.call(`PATCH /inbound-connectors/${body.id}`, {
    json: { minimumTlsVersion: 'TLSv1.3', senderDomains: ['contoso.example', '*.contoso.example'] },
    headers: { 'if-match': '"1"' },
  })
  await api.call('PUT /accepted-domains/ours.example', { json: {} })
})
after(() => api.stop())

const administrator = 'arn:aws:iam::123456789012:user/administrator'

test('`changes` lists who changed which fields, the newest change first', async () => {
  const { status, out, err } = await api.mailflow('changes')
  assert.deepEqual([status, err], [0, ''])
  assert.deepEqual(
    out
      .trimEnd()
      .split('\n')
      .map((line) => line.trimEnd().replaceAll(/ {2,}/g, '|')),
    [
      'Version|Time|Action|Kind|Name|By|Fields',
      `3|2026-02-10 12:00:00Z|Created|accepted-domain|ours.example|${administrator}`,
      `2|2026-02-10 12:00:00Z|Changed|inbound-connector|Contoso|${administrator}|senderDomains: contoso.example → contoso.example, *.contoso.example; minimumTlsVersion: TLSv1.2 → TLSv1.3`,
      `1|2026-02-10 11:00:00Z|Created|inbound-connector|Contoso|${administrator}`,
    ],
  )
})

test('`changes` fits its list to the terminal', async () => {
  await assertFitsTerminal(['changes'], { env: { MAILFLOW_API: api.url } }, ['accepted-domain'])
})

test('`changes` selects by name, time, kind and actor', async () => {
  const found = async (...args: string[]) =>
    JSON.parse((await api.mailflow('changes', ...args, '--json')).out).map(
      ({ version }: { version: number }) => version,
    )
  assert.deepEqual(await found('contoso'), [2, 1])
  assert.deepEqual(await found('--since', '30m'), [3, 2])
  assert.deepEqual(await found('--until', '2026-02-10T12:00:00Z'), [1])
  assert.deepEqual(await found('--kind', 'accepted-domain'), [3])
  assert.deepEqual(await found('--actor', administrator, '--all'), [3, 2, 1])
  assert.equal((await api.mailflow('changes', 'unknown')).out, 'No changes found.\n')
})

test('`changes` reports that there are more changes than --limit, and refuses an unknown kind', async () => {
  const limited = await api.mailflow('changes', '--limit', '2')
  assert.equal(limited.out.trimEnd().split('\n').length, 3)
  assert.match(limited.err, /There are more changes/)
  const unknown = await api.mailflow('changes', '--kind', 'domain')
  assert.deepEqual([unknown.status, unknown.out], [2, ''])
  assert.match(unknown.err, /the kinds are inbound-connector, outbound-connector, accepted-domain/)
})

test('`changes --csv` prints a line for each change, and reports that there are more', async () => {
  const { status, out, err } = await api.mailflow('changes', '--csv', '--limit', '2')
  assert.equal(status, 0)
  const [header, ...lines] = out.trimEnd().split('\n')
  assert.equal(header, 'version,at,actor,kind,action,name,id,domain,before,after')
  assert.deepEqual(
    lines.map((line) => line.split(',').slice(0, 6)),
    [
      ['3', '2026-02-10T12:00:00.000Z', administrator, 'accepted-domain', 'Created', 'ours.example'],
      ['2', '2026-02-10T12:00:00.000Z', administrator, 'inbound-connector', 'Changed', 'Contoso'],
    ],
  )
  assert.equal(err, 'There are more changes: use --limit N or --all.\n')
  assert.equal((await api.mailflow('changes', 'unknown', '--csv')).out, `${header}\n`)
  assert.equal((await api.mailflow('changes', '--csv', '--json')).status, 2)
})
