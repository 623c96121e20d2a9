/** Sends the examples of docs/connectors.md to the API: the response contains what the page shows. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createTestApi } from '../../support/api-client.ts'
import { outboundInput } from '../../support/connectors.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { createPki } from '../../support/pki.ts'

const page = readFileSync(join(import.meta.dirname, '../../../docs/connectors.md'), 'utf8')
const pki = await createPki('Public CA')

interface Block {
  kind: string
  json: string
}

/** The code blocks of each section with examples. */
const examples = page
  .split(/^### /m)
  .map((section) => ({
    title: section.split('\n')[0] ?? '',
    blocks: [...section.matchAll(/^```json (\w+)\n(.*?)^```$/gms)].map(
      ([, kind = '', json = '']): Block => ({ kind, json }),
    ),
  }))
  .filter(({ blocks }) => blocks.length > 0)

test('docs/connectors.md has at least four sections with examples', () => assert.ok(examples.length >= 4))

for (const { title, blocks } of examples)
  describe(`the answer of POST /explain in docs/connectors.md, "${title}", is right for mail from`, () => {
    let db: TestDynamoDb
    let api: ReturnType<typeof createTestApi>
    before(async () => {
      db = await startDynamoDb()
      api = createTestApi(db.documents, Date.now, [pki.ca])
      await api.call('PUT /accepted-domains/ours.example', { json: {} })
      const mailboxes = outboundInput({
        name: 'Mailboxes',
        connectorType: 'OnPremises',
        recipientDomains: [],
        allAcceptedDomains: true,
        route: 'SmartHosts',
        smartHosts: [{ host: 'mailbox.ours.example', port: 25 }],
      })
      await api.call('POST /outbound-connectors', { json: mailboxes })
      for (const { kind, json } of blocks)
        if (kind === 'inbound' || kind === 'outbound') {
          const { status, body } = await api.call(`POST /${kind}-connectors`, { json: JSON.parse(json) })
          assert.equal(status, 201, JSON.stringify(body))
        }
    })
    after(() => db.stop())

    for (const [index, { kind, json }] of blocks.entries()) {
      if (kind !== 'explain') continue
      test(titleOf(JSON.parse(json)), async () => {
        const answerBlock = blocks[index + 1]
        assert.equal(answerBlock?.kind, 'answer', 'the answer follows the question')
        const { status, body } = await api.call('POST /explain', {
          json: JSON.parse(await withCertificates(json)),
        })
        assert.equal(status, 200)
        includes(body, JSON.parse(answerBlock.json), 'the answer')
      })
    }
  })

interface Question {
  mailFrom: string
  rcptTo: string[]
  tls: { negotiated: boolean; clientCertificate?: string }
}

function titleOf({ mailFrom, rcptTo, tls }: Question): string {
  const tlsText = tls.clientCertificate ? 'with a certificate' : tls.negotiated ? 'over TLS' : 'in the clear'
  return `${mailFrom} to ${rcptTo.join(', ')} ${tlsText}`
}

/** `<mail.contoso.example.pem>` stands for a certificate of that name from a trusted authority. */
async function withCertificates(json: string): Promise<string> {
  let text = json
  for (const [placeholder, name = ''] of json.matchAll(/<([\w.-]+)\.pem>/g)) {
    const { cert } = await pki.issue({ names: [name] })
    text = text.replace(placeholder, JSON.stringify(cert).slice(1, -1))
  }
  return text
}

/** Checks that the actual value contains the expected one; lists must have equal lengths. */
function includes(actual: unknown, expected: unknown, where: string): void {
  if (Array.isArray(expected)) {
    assert.ok(Array.isArray(actual), where)
    assert.equal(actual.length, expected.length, `${where}: ${JSON.stringify(actual)}`)
    for (const [index, item] of expected.entries()) includes(actual[index], item, `${where}[${index}]`)
  } else if (typeof expected === 'object' && expected !== null) {
    for (const [key, value] of Object.entries(expected))
      includes((actual as Record<string, unknown>)?.[key], value, `${where}.${key}`)
  } else assert.deepEqual(actual, expected, where)
}
