/** Tests the command as a process, as a user starts it. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, describe, test } from 'node:test'
import { startAnsweringServer } from '../support/cli/mailflow.ts'
import { within } from '../support/within.ts'

const root = join(import.meta.dirname, '../..')
const launcher = join(root, 'cli/mailflow.js')
const cache = mkdtempSync(join(tmpdir(), 'mailflow-npm-'))
after(() => rmSync(cache, { recursive: true }))

/** The PATH of a terminal, without the node_modules/.bin that npm scripts add. */
const path = (process.env.PATH ?? '')
  .split(delimiter)
  .filter((folder) => !folder.includes('node_modules'))
  .join(delimiter)

/** Kills a process that does not end, so that only its own test fails. */
const bounded = <T>(child: ChildProcess, ending: Promise<T>): Promise<T> =>
  within(60_000, ending, `the end of ${child.spawnargs.join(' ')}`).finally(() => child.kill('SIGKILL'))

async function ended(command: string, args: string[], cwd = root) {
  const { NODE_COMPILE_CACHE = '' } = process.env
  const env = {
    PATH: path,
    HOME: cache,
    npm_config_cache: cache,
    npm_config_offline: 'true',
    NODE_COMPILE_CACHE,
  }
  const child = spawn(command, args, { cwd, env })
  const ending = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  const [out, err] = await bounded(child, ending)
  return { status: child.exitCode, out, err }
}

describe('npx mailflow', () => {
  for (const [where, cwd] of [
    ['in the project folder', root],
    ['in a subfolder of the project', join(root, 'docs')],
  ] as const)
    test(`starts ${where} without network access`, async () => {
      const { status, out } = await ended('npx', ['mailflow', '--help'], cwd)
      assert.equal(status, 0)
      assert.match(out, /^ {2}npx mailflow COMMAND/m)
    })

  test('passes arguments and working directory to the command, and returns its exit status', async () => {
    const file = 'exchange-inbound.json'
    const folder = join(root, 'test/fixtures')
    const imported = await ended('npx', ['mailflow', 'connectors', 'import-exchange', file], folder)
    assert.equal(imported.status, 3)
    assert.match(imported.out, /^# Imported from Exchange: exchange-inbound\.json\n/)
    assert.match(imported.err, /Imported: 10 inbound connectors/)
    assert.equal((await ended('npx', ['mailflow', 'messages', '--never'])).status, 2)
  })
})

describe('with a Node that does not run TypeScript', () => {
  const old = '--no-experimental-strip-types'

  test('cli/main.ts does not start directly', async () => {
    const main = join(dirname(launcher), 'main.ts')
    const { status, err } = await ended(process.execPath, [old, main, '--help'])
    assert.equal(status, 1)
    assert.match(err, /ERR_UNKNOWN_FILE_EXTENSION|SyntaxError/)
  })

  test('cli/mailflow.js starts the command with the Node of the project, and returns its exit status', async () => {
    const { status, out } = await ended(process.execPath, [old, launcher, '--help'])
    assert.deepEqual([status, /npx mailflow COMMAND/.test(out)], [0, true])
    const wrong = await ended(process.execPath, [old, launcher, 'nothing'])
    assert.equal(wrong.status, 2)
    assert.match(wrong.err, /^mailflow: unknown command "nothing"/)
  })
})

test('mailflow exits with 0 and prints no error when the reader of its output closes the pipe', async () => {
  const connector = (number: number) => ({
    id: `01KGH3Z00000000000${String(number).padStart(8, '0')}`,
    name: `Partner ${number}`,
    connectorType: 'Partner',
    route: 'Mx',
    recipientDomains: [`partner${number}.example`],
    version: 1,
  })
  const items = Array.from({ length: 20_000 }, (_, number) => connector(number))
  const { url, stop } = await startAnsweringServer(({ url = '' }) => ({
    body: JSON.stringify({ items: url.startsWith('/outbound') ? items : [], nextCursor: null }),
  }))
  const child = spawn(process.execPath, [launcher, 'connectors', 'list', '--api', url], { cwd: root })
  const err = text(child.stderr)
  child.stdout.once('data', () => child.stdout.destroy())
  const [status] = await bounded(child, once(child, 'close'))
  stop()
  assert.deepEqual([status, await err], [0, ''])
})

test('connectors apply writes every change, and its exit status says so, when the reader closes the pipe', async () => {
  const entries = Array.from(
    { length: 400 },
    (_, number) =>
      `  - { name: Partner ${number}, connectorType: Partner, recipientDomains: [p${number}.example], tlsSettings: EncryptionOnly, comment: ${'x'.repeat(1000)} }\n`,
  )
  // More output than a pipe holds.
  const file = join(cache, 'many.yaml')
  writeFileSync(file, `outboundConnectors:\n${entries.join('')}`)
  for (const [failsAt, expected] of [
    [null, 0],
    [200, 1],
  ] as const) {
    let writes = 0
    const { url, stop } = await startAnsweringServer(({ method, url: target }) => {
      if (target === '/configuration')
        return { body: JSON.stringify({ version: 1, defaultRoute: 'Mx', deliversInVpc: true }) }
      if (method === 'GET') return { body: JSON.stringify({ items: [], nextCursor: null }) }
      return ++writes === failsAt ? { status: 500, body: '{}' } : { status: 201, body: '{}' }
    })
    const child = spawn(process.execPath, [launcher, 'connectors', 'apply', '-f', file, '--api', url], {
      cwd: root,
    })
    const err = text(child.stderr)
    child.stdout.once('data', () => child.stdout.destroy())
    const [status] = await bounded(child, once(child, 'close'))
    stop()
    assert.deepEqual([status, writes], [expected, failsAt ?? entries.length], await err)
  }
})

describe('a question on a terminal', () => {
  for (const [key, octet] of [
    ['Ctrl-C', '\x03'],
    ['Ctrl-D', '\x04'],
  ] as const)
    test(`is cancelled by ${key}, with one line`, async () => {
      const { url, stop } = await startAnsweringServer(() => ({ body: '{}' }))
      const command = `'${process.execPath}' '${launcher}' messages return 01M8NS0EZ40000000000000001 --api ${url}`
      const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: root })
      const output = text(child.stdout)
      child.stdout.on('data', (chunk) => {
        if (String(chunk).includes('Type yes: ')) child.stdin.write(octet)
      })
      const [status] = await bounded(child, once(child, 'close'))
      stop()
      assert.equal(status, 1)
      assert.match(await output, /Type yes: [^\n]*\n?.*mailflow: cancelled; nothing was written\r\n$/s)
      assert.doesNotMatch(await output, / at |AbortError/)
    })
})

test('connectors apply that is interrupted says how many changes were written', async () => {
  const entries = Array.from(
    { length: 50 },
    (_, number) =>
      `  - { name: P${number}, connectorType: Partner, recipientDomains: [p${number}.example] }\n`,
  )
  const file = join(cache, 'interrupted.yaml')
  writeFileSync(file, `outboundConnectors:\n${entries.join('')}`)
  let writes = 0
  let child: ChildProcess | undefined
  const { url, stop } = await startAnsweringServer(({ method, url: target }) => {
    if (target === '/configuration')
      return { body: JSON.stringify({ version: 1, defaultRoute: 'Mx', deliversInVpc: true }) }
    if (method === 'GET') return { body: JSON.stringify({ items: [], nextCursor: null }) }
    if (++writes === 20) child?.kill('SIGINT')
    return { status: 201, body: '{}' }
  })
  child = spawn(process.execPath, [launcher, 'connectors', 'apply', '-f', file, '--api', url], { cwd: root })
  const err = text(child.stderr as NonNullable<ChildProcess['stderr']>)
  child.stdout?.resume()
  const [status] = await bounded(child, once(child, 'close'))
  stop()
  assert.equal(status, 130)
  assert.match(
    await err,
    /mailflow: interrupted; \d+ changes of 50 written, perhaps one more; the same command writes the rest\n$/,
  )
  assert.ok(writes < 50)
})

describe('messages search', () => {
  const searchId = '0f5b9c1e-5a0b-4c0e-9e0a-0123456789ab'
  const page = {
    state: 'Succeeded',
    reason: null,
    scannedOctets: 0,
    ms: 1,
    rows: [],
    nextCursor: null,
    csv: null,
  }

  /** @param polls called for each reading of the state; returns what differs from an empty result */
  const startSearchApi = (polls: (url: string) => object) =>
    startAnsweringServer(({ method, url = '' }) => ({
      status: method === 'POST' ? 202 : 200,
      body:
        method === 'POST'
          ? JSON.stringify({ id: searchId, completeUntil: '2099-01-01T00:00:00Z' })
          : url === '/csv'
            ? `"reply"\n${'"a line of the result"\n'.repeat(100_000)}`
            : JSON.stringify({ ...page, ...polls(url) }),
    }))

  test('that is interrupted says how to get its result', async () => {
    let child: ChildProcess | undefined
    let polls = 0
    const { url, stop } = await startSearchApi(() => {
      if (++polls === 2) child?.kill('SIGINT')
      return { state: 'Running' }
    })
    child = spawn(process.execPath, [launcher, 'messages', 'search', '--api', url], { cwd: root })
    const err = text(child.stderr as NonNullable<ChildProcess['stderr']>)
    child.stdout?.resume()
    const [status] = await bounded(child, once(child, 'close'))
    stop()
    assert.equal(status, 130)
    assert.equal(
      await err,
      `mailflow: interrupted; the search goes on; to print its result: npx mailflow messages search --id ${searchId}\n`,
    )
  })

  test('prints no error when the reader of its CSV closes the pipe', async () => {
    const { url, stop } = await startSearchApi(() => ({ csv: `${url}/csv` }))
    const child = spawn(process.execPath, [launcher, 'messages', 'search', '--csv', '--api', url], {
      cwd: root,
    })
    const err = text(child.stderr)
    child.stdout.once('data', () => child.stdout.destroy())
    const [status] = await bounded(child, once(child, 'close'))
    stop()
    assert.equal(status, 0)
    assert.doesNotMatch(await err, /mailflow:|EPIPE/)
  })

  test('shows its progress on a terminal, and removes it', async () => {
    let polls = 0
    const { url, stop } = await startSearchApi(() => ({ state: ++polls < 3 ? 'Running' : 'Succeeded' }))
    const command = `'${process.execPath}' '${launcher}' messages search --api ${url}`
    const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: root })
    const output = text(child.stdout)
    const [status] = await bounded(child, once(child, 'close'))
    stop()
    assert.equal(status, 0)
    const clear = '\r\u001b[K'
    const [before, first, ...others] = (await output).split(clear)
    assert.deepEqual([before, first], ['', 'Searching for 0 s …'])
    assert.match(others.at(-1) ?? '', /^No messages found from /)
  })
})

test('a command whose output cannot be written ends with one line', async () => {
  const child = spawn('sh', ['-c', `'${process.execPath}' '${launcher}' --help > /dev/full`], { cwd: root })
  const err = text(child.stderr)
  const [status] = await bounded(child, once(child, 'close'))
  assert.equal(status, 1)
  assert.match(await err, /^mailflow: cannot write the output: ENOSPC[^\n]*\n$/)
})
