/** Whatever a file, the API, a peer or an argument contains, the terminal gets only visible characters and line ends. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { UpdateCommand } from '@aws-sdk/lib-dynamodb'
import fc from 'fast-check'
import { parse } from 'yaml'
import { commands } from '../../cli/commands.ts'
import { run } from '../../cli/run.ts'
import { terminalText } from '../../cli/text/format.ts'
import { type HttpApi, mailflow, startAnsweringServer, startApi } from '../support/cli/mailflow.ts'

const isVisible = (output: string): boolean =>
  !/\p{C}|\p{Zl}|\p{Zp}|\p{Default_Ignorable_Code_Point}/u.test(output.replaceAll('\n', ''))

const assertVisible = ({ out, err }: { out: string; err: string }) =>
  assert.ok(isVisible(out + err), JSON.stringify(out + err))

/** Clears the screen, in two encodings; reverses text; hides text; begins a line that looks like the program's. */
const hostile = 'x\u001b[2J\u009b2J\u202e\u{e0041}\u200b\u00ad\u2028\r\nmailflow: y'

const pieces = [
  'a',
  ' ',
  '\n',
  '\r',
  '\t',
  '\0',
  '\u001b[31m',
  '\u007f',
  '\u0085',
  '\u009b',
  '\u202e',
  '\ud800',
]
const hostileText = fc.oneof(
  fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary' }),
)

test('terminalText leaves no control character except line ends, whatever the text is', () => {
  fc.assert(
    fc.property(hostileText, (text) => {
      const output = terminalText(text)
      assert.doesNotMatch(output.replaceAll('\n', ''), /\p{Cc}/u)
      assert.ok(isVisible(output))
      assert.equal(terminalText(output), output)
      assert.deepEqual(output.split('\n').length, text.split('\n').length)
    }),
  )
})

describe('the output of', () => {
  /** Answers with the hostile text in every field that a response may have. */
  let server: Awaited<ReturnType<typeof startAnsweringServer>>
  let body = ''
  let status = 200
  before(async () => {
    server = await startAnsweringServer(() => ({ status, body }))
  })
  after(() => server.stop())

  const names = commands.map(({ name }) => name).filter((name) => name !== 'dns')

  test('every command is visible for any arguments and any response of the API', async () => {
    const problem = fc.record({
      title: hostileText,
      detail: hostileText,
      errors: fc.array(fc.record({ path: hostileText, message: hostileText }), { maxLength: 2 }),
    })
    const list = fc.record({
      items: fc.array(fc.record({ version: fc.constant(1), id: hostileText, name: hostileText }), {
        maxLength: 2,
      }),
      nextCursor: fc.constant(null),
    })
    const answer = fc.oneof(problem, list, fc.jsonValue({ stringUnit: 'binary' }))
    const args = fc.array(fc.oneof(hostileText, fc.constantFrom('--json', '--to', '--connector')), {
      maxLength: 3,
    })
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names, 'connectors', ''),
        args,
        answer,
        fc.constantFrom(200, 400, 500),
        async (name, rest, response, code) => {
          body = JSON.stringify(response)
          status = code
          assertVisible(
            await mailflow([...name.split(' '), ...rest], { env: { MAILFLOW_API: server.url }, input: '' }),
          )
        },
      ),
      { numRuns: 300 },
    )
  })

  test('a command that prints a field of a response as it is has no invisible character', async () => {
    body = JSON.stringify({
      hostname: hostile,
      changedAt: '2026-02-03T11:00:00.000Z',
      certificates: [],
      tlsaRecords: [hostile],
      protocol: { versions: [hostile], cipherSuites: [hostile], groups: [hostile] },
    })
    status = 200
    const result = await mailflow(['certificates'], { env: { MAILFLOW_API: server.url } })
    assertVisible(result)
    assert.match(result.out, /Versions {2}x\?\[2J\?2J/)
  })

  test('an unexpected error is visible', async () => {
    let err = ''
    const status = await run(['connectors', 'apply', '-f', '-'], {
      env: {},
      out: () => assert.fail(),
      err(text) {
        err += text
      },
      readInput: () => Promise.reject(new Error(hostile)),
      now: Date.now,
      sleep: async () => {},
    })
    assertVisible({ out: '', err })
    assert.equal(status, 1)
    assert.match(err, /^mailflow: Error: x\?\[2J/)
  })

  test('an error has one line, also when a name in it contains a line break', async () => {
    const { err } = await mailflow(['connectors', 'get', hostile, 'b'])
    assert.match(err, /^mailflow: too many arguments: [^\n]*\n$/)
  })

  for (const [file, args] of [
    ['connectors apply', ['connectors', 'apply', '-f', '-']],
    ['connectors import-exchange', ['connectors', 'import-exchange', '-']],
  ] as const)
    test(`${file} is visible for any file`, async () => {
      const key = fc.oneof(
        hostileText,
        fc.constantFrom(
          'acceptedDomains',
          'inboundConnectors',
          'name',
          'Name',
          'senderDomains',
          'SenderDomains',
        ),
      )
      const json = fc.letrec((tie) => ({
        node: fc.oneof({ depthSize: 'small' }, hostileText, tie('list'), tie('map')),
        list: fc.array(tie('node'), { maxLength: 3 }),
        map: fc.dictionary(key, tie('node'), { maxKeys: 3 }),
      }))
      const exported = fc.record({
        Name: hostileText,
        ConnectorType: fc.constant('Partner'),
        SenderDomains: fc.array(fc.oneof(hostileText, fc.constant('smtp:contoso.example;1')), {
          maxLength: 2,
        }),
        Comment: hostileText,
        TlsSenderCertificateName: hostileText,
        Unknown: hostileText,
      })
      body = JSON.stringify({ items: [], nextCursor: null })
      status = 200
      await fc.assert(
        fc.asyncProperty(
          fc.oneof(
            json.map.map((value) => JSON.stringify(value)),
            exported.map((value) => JSON.stringify(value)),
            hostileText,
          ),
          async (input) => assertVisible(await mailflow(args, { env: { MAILFLOW_API: server.url }, input })),
        ),
        { numRuns: 300 },
      )
    })

  test('connectors apply quotes names and values of a YAML file visibly, one fault a line', async () => {
    const name = JSON.stringify('From\u001b[2J\u009b\nmailflow: all is well')
    const input = `inboundConnectors:\n  - name: ${name}\n    senderDomains: ["\u009b31m\\e[2J"]\n`
    const result = await mailflow(['connectors', 'apply', '-f', '-'], { input })
    assertVisible(result)
    assert.equal(result.status, 1)
    assert.match(
      result.err,
      /^ {2}standard input:2: inbound connector "From\?\[2J\? mailflow: all is well": name: has the/m,
    )
    assert.doesNotMatch(result.err, /^mailflow: all/m)
  })
})

test('YAML keys that are collections cause no warning of Node, which would print them unescaped', async (t) => {
  const emitted = t.mock.method(process, 'emitWarning', () => {})
  await mailflow(['connectors', 'apply', '-f', '-'], { input: '? ["\u009b2J"]\n: x\n' })
  assert.equal(emitted.mock.callCount(), 0)
})

describe('a connector whose stored name has invisible characters', () => {
  let api: HttpApi
  const name = 'Con\u202etoso\u001b[2J\u{e0041}'
  const shown = 'Con?toso?[2J?'
  before(async () => {
    api = await startApi()
    const { body } = await api.call('POST /inbound-connectors', {
      body: JSON.stringify({
        name: 'Contoso',
        connectorType: 'Partner',
        senderDomains: ['contoso.example'],
        comment: 'a\u009bb\u{e0041}\\\u200b\tc\n d',
      }),
    })
    // As an earlier version stored it.
    await api.database.documents.send(
      new UpdateCommand({
        TableName: api.database.connectorsTable,
        Key: { pk: 'inbound-connector', sk: body.id },
        UpdateExpression: 'SET #name = :name',
        ExpressionAttributeNames: { '#name': 'name' },
        ExpressionAttributeValues: { ':name': name },
      }),
    )
  })

  after(() => api.stop())

  test('is listed with a ? for each', async () => {
    const result = await api.mailflow('connectors', 'list')
    assertVisible(result)
    assert.ok(result.out.includes(`\ninbound    ${shown}  Partner  `), result.out)
  })

  test('is listed as JSON with escapes, and the JSON has its name', async () => {
    const result = await api.mailflow('connectors', 'list', '--json')
    assertVisible(result)
    assert.ok(result.out.includes(String.raw`"Con\u202etoso\u001b[2J\udb40\udc41"`))
    assert.equal(JSON.parse(result.out).inboundConnectors[0].name, name)
  })

  test('is exported as YAML with escapes, and the file has its name and comment', async () => {
    const result = await api.mailflow('connectors', 'export')
    assertVisible(result)
    const [connector] = parse(result.out).inboundConnectors
    assert.deepEqual([connector.name, connector.comment], [name, 'a\u009bb\u{e0041}\\\u200b\tc\n d'])
  })

  test('is found by its name, and stays unchanged when a file without it is applied', async () => {
    assert.equal((await api.mailflow('connectors', 'get', name)).status, 0)
    const result = await mailflow(['connectors', 'apply', '-f', '-'], {
      env: { MAILFLOW_API: api.url },
      input: 'inboundConnectors: []\n',
    })
    assertVisible(result)
    assert.ok(result.out.includes(`  ? ${shown}: not in the file, kept`), result.out)
  })

  test('is refused by the API when it is written again', async () => {
    const { out } = await api.mailflow('connectors', 'export')
    const { status, err } = await mailflow(['connectors', 'apply', '-f', '-'], {
      env: { MAILFLOW_API: api.url },
      input: out,
    })
    assert.equal(status, 1)
    assert.match(err, /: name: has the invisible character U\+202E\n/)
  })
})
