import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { commands } from '../../cli/commands.ts'
import { readConfiguration } from '../../cli/connectors/read-configuration.ts'
import { mailflow } from '../support/cli/mailflow.ts'

test('--help names every command', async () => {
  const { status, out } = await mailflow(['--help'])
  assert.equal(status, 0)
  for (const { name, summary } of commands) assert.match(out, new RegExp(`^ {2}${name} +${summary}$`, 'm'))
})

for (const { name, options, usesApi } of commands)
  test(`${name} --help names every option, and asks nothing`, async () => {
    const { status, out, err } = await mailflow([...name.split(' '), '--help'])
    assert.deepEqual([status, err], [0, ''])
    const shown = [...Object.keys(options), ...(usesApi ? ['api', 'token', 'sign', 'region'] : []), 'help']
    for (const option of shown) assert.ok(out.includes(`--${option}`), option)
    assert.deepEqual((await mailflow(['help', ...name.split(' ')])).out, out)
    assert.ok(out.split('\n').every((line) => line.length <= 120))
  })

describe('a command that is called wrongly ends with 2 and names the fault', () => {
  const rows: [string[], RegExp][] = [
    [['--api', 'http://127.0.0.1:1', 'messages'], /--api comes after the command: connectors list, /],
    [['conectors'], /there is no command "conectors"; the commands are connectors list, /],
    [['connectors'], /say which: connectors list, /],
    [['connectors', 'delete'], /there is no command "connectors delete"; there are /],
    [
      ['connectors', 'list', '--pretty'],
      /Unknown option '--pretty' \(usage: npx mailflow connectors list \[OPTION …\]\)/,
    ],
    [['connectors', 'list', 'all'], /"all" is one argument too many/],
    [['connectors', 'get'], /something is missing \(usage: npx mailflow connectors get NAME\|ID/],
    [['connectors', 'apply'], /connectors apply needs -f FILE/],
    [['connectors', 'apply', '-f'], /Option '-f, --file <value>' argument missing/],
    [['connectors', 'import-exchange'], /something is missing/],
    [['check'], /check needs either HOST\[:PORT\] or --certificate FILE/],
    [['check', 'mx.bank.example', '--certificate', 'a.pem'], /check needs either HOST/],
    [['check', 'mx.bank.example:0'], /mx\.bank\.example:0: "0" is not a port from 1 to 65535/],
    [['check', 'mx.bank.example:smtp'], /"smtp" is not a port/],
    [['check', '[192.0.2.1]:25'], /192\.0\.2\.1 is not an IPv6 address/],
    [['check', 'mx bank'], /mx bank: not a host, such as mx\.example\.com, /],
    [['check', ':25'], /:25: not a host/],
    [['check', 'mx.bank.example', '--timeout', '0'], /--timeout 0: not a number of seconds from 1 to 300/],
    [['check', 'mx.bank.example', '--servername', '*.bank.example'], /not a name, such as mx\.example\.com/],
    [['messages', '--json=yes'], /does not take an argument/],
    [['messages', '--token', 'a', '--sign'], /--token and --sign exclude each other/],
  ]
  for (const [args, message] of rows)
    test(args.join(' '), async () => {
      const { status, out, err } = await mailflow(args)
      assert.deepEqual([status, out], [2, ''])
      assert.match(err, /^mailflow: .*\n$/)
      assert.match(err, message)
    })

  test('without any argument the help is shown', async () => {
    const { status, out } = await mailflow([])
    assert.equal(status, 2)
    assert.match(out, /npx mailflow COMMAND/)
  })
})

const page = readFileSync(join(import.meta.dirname, '../../docs/command-line.md'), 'utf8')

test("the page's own file has no fault", () => {
  const [, file = ''] = /```yaml\n(.*?)```/s.exec(page) ?? []
  const { inboundConnectors, outboundConnectors } = readConfiguration(file, 'docs/command-line.md')
  assert.deepEqual([inboundConnectors?.length, outboundConnectors?.length], [1, 1])
})

test('the page names every command', () => {
  for (const { name } of commands) assert.ok(page.includes(`\`${name}\``), name)
})
