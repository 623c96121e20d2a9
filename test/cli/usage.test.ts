import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { commands, loadCommand } from '../../cli/commands.ts'
import { readConfiguration } from '../../cli/connectors/read-configuration.ts'
import { mailflow } from '../support/cli/mailflow.ts'

const fileOptions = { defaultRoute: 'Mx', prune: false } as const

test('mailflow --help names every command', async () => {
  const { status, out } = await mailflow(['--help'])
  assert.equal(status, 0)
  for (const { name, summary } of commands) assert.match(out, new RegExp(`^ {2}${name} +${summary}$`, 'm'))
})

test('mailflow --version prints the version of the package', async () => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'))
  assert.deepEqual(await mailflow(['--version']), { status: 0, out: `mailflow ${version}\n`, err: '' })
})

for (const { name, options, usesApi } of await Promise.all(commands.map(loadCommand)))
  test(`mailflow ${name} --help names every option and sends no request`, async () => {
    const { status, out, err } = await mailflow([...name.split(' '), '--help'])
    assert.deepEqual([status, err], [0, ''])
    const optionNames = [
      ...Object.keys(options),
      ...(usesApi ? ['api', 'token', 'sign', 'region'] : []),
      'help',
    ]
    for (const option of optionNames) assert.ok(out.includes(`--${option}`), option)
    assert.deepEqual((await mailflow(['help', ...name.split(' ')])).out, out)
    assert.ok(out.split('\n').every((line) => line.length <= 120))
  })

test('-h prints the help, also of a group of commands', async () => {
  assert.deepEqual(await mailflow(['-h']), await mailflow(['--help']))
  assert.deepEqual(await mailflow(['dns', '-h']), await mailflow(['dns', '--help']))
  const { status, out } = await mailflow(['connectors', '--help'])
  assert.equal(status, 0)
  assert.match(out, /connectors apply /)
  assert.doesNotMatch(out, /explain/)
})

describe('mailflow with wrong arguments exits with 2 and names the error', () => {
  const rows: [string[], RegExp][] = [
    [
      ['--api', 'http://127.0.0.1:1', 'messages'],
      /put --api after the command; the commands are connectors list, /,
    ],
    [['conectors'], /unknown command "conectors"; the commands are connectors list, /],
    [['connectors'], /incomplete command "connectors"; the commands are connectors list, /],
    [['connectors', 'remove'], /unknown command "connectors remove"; the commands are /],
    [
      ['connectors', 'list', '--pretty'],
      /Unknown option '--pretty' \(usage: npx mailflow connectors list \[OPTION …\]\)/,
    ],
    [['connectors', 'list', 'all'], /too many arguments: "all"/],
    [['connectors', 'get'], /an argument is missing \(usage: npx mailflow connectors get NAME\|ID/],
    [['connectors', 'apply'], /connectors apply requires -f FILE/],
    [['connectors', 'apply', '-f'], /Option '-f, --file <value>' argument missing/],
    [['connectors', 'import-exchange'], /an argument is missing/],
    [['check'], /check needs HOST\[:PORT\] or --certificate FILE/],
    [['check', 'mx.bank.example', '--certificate', 'a.pem'], /check needs HOST/],
    [['check', 'mx.bank.example:0'], /mx\.bank\.example:0: "0" is not a port from 1 to 65535/],
    [['check', 'mx.bank.example:smtp'], /"smtp" is not a port/],
    [['check', '[192.0.2.1]:25'], /192\.0\.2\.1 is not an IPv6 address/],
    [['check', 'mx bank'], /mx bank: not a host; examples: mx\.example\.com, /],
    [['check', ':25'], /:25: not a host/],
    [['check', 'mx.bank.example', '--timeout', '0'], /--timeout 0: not a number of seconds from 1 to 300/],
    [
      ['check', 'mx.bank.example', '--servername', '*.bank.example'],
      /not a host name; example: mx\.example\.com/,
    ],
    [['messages', '--json=yes'], /does not take an argument/],
    [['messages', '--since', '2026-02-30'], /--since 2026-02-30: not a time; examples: /],
    [['messages', '--until', '2026-13-01'], /--until 2026-13-01: not a time/],
    [['messages', '--sender', 'a@b.example', '--sender', 'c@d.example'], /--sender is given twice \(usage: /],
    [['messages', '--token', 'a', '--sign'], /--token cannot be used with --sign or --region/],
  ]
  for (const [args, message] of rows)
    test(args.join(' '), async () => {
      const { status, out, err } = await mailflow(args)
      assert.deepEqual([status, out], [2, ''])
      assert.match(err, /^mailflow: .*\n$/)
      assert.match(err, message)
    })

  test('prints the help when there is no argument', async () => {
    const { status, out } = await mailflow([])
    assert.equal(status, 2)
    assert.match(out, /npx mailflow COMMAND/)
  })
})

const page = readFileSync(join(import.meta.dirname, '../../docs/command-line.md'), 'utf8')

test('the example file of docs/command-line.md is valid', () => {
  const [, file = ''] = /```yaml\n(.*?)```/s.exec(page) ?? []
  const { inboundConnectors, outboundConnectors } = readConfiguration(
    file,
    'docs/command-line.md',
    fileOptions,
  )
  assert.deepEqual([inboundConnectors?.length, outboundConnectors?.length], [1, 1])
})

test('docs/command-line.md leads to the page that names every command', () => {
  assert.ok(page.includes('(generated/commands.md)'))
  const list = readFileSync(join(import.meta.dirname, '../../docs/generated/commands.md'), 'utf8')
  for (const { name } of commands) assert.ok(list.includes(`\n## ${name}\n`), name)
})
