import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseOptions } from '../../../infra/local/options.ts'

test('the default options are fixed ports for SMTP and API, free ports for pages and DNS, no state folder, and the demo', () => {
  assert.deepEqual(parseOptions([]), {
    smtpPort: 2525,
    apiPort: 8080,
    pagesPort: 0,
    dnsPort: 0,
    zoneFile: null,
    stateDirectory: null,
    secretsDirectory: null,
    settings: {},
    demo: true,
  })
})

test('parseOptions reads every option but --settings', () => {
  const args =
    '--smtp-port 1 --api-port 2 --pages-port 4 --dns-port 3 --zone z.json --state s --secrets t --no-demo'.split(
      ' ',
    )
  assert.deepEqual(parseOptions(args), {
    smtpPort: 1,
    apiPort: 2,
    pagesPort: 4,
    dnsPort: 3,
    zoneFile: 'z.json',
    stateDirectory: 's',
    secretsDirectory: 't',
    settings: {},
    demo: false,
  })
})

test('port 0, which means any free port, may be given for several options', () => {
  assert.deepEqual(parseOptions('--smtp-port 0 --api-port 0 --dns-port 0'.split(' ')), {
    smtpPort: 0,
    apiPort: 0,
    pagesPort: 0,
    dnsPort: 0,
    zoneFile: null,
    stateDirectory: null,
    secretsDirectory: null,
    settings: {},
    demo: true,
  })
})

const faults = [
  { args: ['--colour'], message: /^Unknown option '--colour'.*\(the options are --smtp-port/ },
  { args: ['start'], message: /^Unexpected argument 'start'/ },
  { args: ['--smtp-port', 'smtp'], message: /^--smtp-port smtp: not a port/ },
  { args: ['--api-port', '65536'], message: /^--api-port 65536: not a port/ },
  { args: ['--dns-port', '-1'], message: /dns-port/ },
  { args: ['--state', ''], message: /^--state needs a directory$/ },
  {
    args: ['--smtp-port', '8080'],
    message: /^port 8080 is given twice \(--smtp-port and --api-port\)$/,
  },
  {
    args: ['--dns-port', '2525'],
    message: /^port 2525 is given twice \(--smtp-port and --dns-port\)$/,
  },
]
for (const { args, message } of faults)
  test(`the arguments ${JSON.stringify(args)} are refused with an error of one line that matches ${message}`, () => {
    assert.throws(
      () => parseOptions(args),
      (error: Error) => message.test(error.message) && !error.message.includes('\n'),
    )
  })

test('--settings reads settings of the deployment from a JSON file, and names a file that it cannot read', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailflow-settings-'))
  const file = join(folder, 'settings.json')
  try {
    writeFileSync(file, '{"defaultRoute":"Ses"}')
    const options = parseOptions(['--settings', file])
    assert.deepEqual(options !== 'Help' && options.settings, { defaultRoute: 'Ses' })
    for (const [text, cause] of [
      ['[1]', 'not a JSON object'],
      ['{', 'JSON'],
    ] as const) {
      writeFileSync(file, text)
      assert.throws(() => parseOptions(['--settings', file]), new RegExp(`^\\w*Error: --settings .*${cause}`))
    }
    assert.throws(() => parseOptions(['--settings', join(folder, 'none')]), /--settings .*ENOENT/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
