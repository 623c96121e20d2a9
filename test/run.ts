/**
 * Runs parts of the test suite: `node test/run.ts PART … [FILE or FOLDER …]`. Prints each part's title, duration and
 * counts. When a program fails, prints its complete output and starts no further program. The last line is
 * `N passed, N failed, N skipped`.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { concurrencyLimiter } from '../shared/limits/concurrency-limiter.ts'
import { filesOf, processesFor, root } from './parts.ts'

/** A program, and the milliseconds after which it is killed. */
interface Command {
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly limitMs: number
}

interface Part {
  readonly title: string
  readonly commands: readonly Command[]
  /**
   * The part runs with no other part at the same time, and with this many of its programs: one if they measure, or use a
   * resource that exists once. Absent: it runs with others.
   */
  readonly alone?: number
  /** Whether the programs' output is printed while they run: figures, seeds and totals. */
  readonly prints?: boolean
}

interface Counts {
  passed: number
  failed: number
  skipped: number
}

/** Stores compiled code for the next process. */
const compileCache = join(root, 'node_modules', '.cache', 'compiled')
/** Stores the result of the check of types, so that the next one reads only what changed. */
const typesCache = join(root, 'node_modules', '.cache', 'types')
/** The console runs in a browser, which has other types than Node. */
const projects = ['.', 'functions/console/app']
const minute = 60_000
const bin = (name: string) => join(root, 'node_modules', '.bin', name)

const testFiles = (files: readonly string[], timeoutMs: number, env: Command['env'] = {}): Command => ({
  args: [
    `--test-timeout=${timeoutMs}`,
    ...(files.length === 1 ? files : ['test/support/together.ts', ...files]),
  ],
  env,
  limitMs: 10 * minute,
})

const program = (...args: readonly string[]): Command => ({ args, limitMs: 20 * minute })

const parts: Record<string, (paths: readonly string[]) => Part> = {
  types: () => ({
    title: 'types',
    commands: projects.map((project) => ({
      args: [
        ...[bin('tsc'), '--noEmit', '--project', project],
        ...['--incremental', '--tsBuildInfoFile', `${typesCache}-${project.replaceAll('/', '-')}`],
      ],
      limitMs: 5 * minute,
    })),
  }),
  lint: () => ({
    title: 'lint and format',
    commands: [{ args: [bin('biome'), 'check', '.'], limitMs: 5 * minute }],
  }),
  unit: (paths) => ({
    title: 'unit tests',
    commands: processesFor(selectFiles(filesOf.unit, paths)).map((files) => testFiles(files, 2 * minute)),
  }),
  local: (paths) => ({
    title: 'end-to-end tests on the local stack',
    commands: processesFor(selectFiles(filesOf.local, paths)).map((files) => testFiles(files, 2.5 * minute)),
  }),
  longer: (paths) => ({
    title: 'longer tests: crashes, rotation, starts and stops, benchmarks, chains, outages',
    commands: selectFiles(filesOf.longer, paths).map((file) => testFiles([file], 2.5 * minute)),
    alone: 2,
  }),
  peers: (paths) => ({
    title: 'tests against other programs',
    commands: selectFiles(filesOf.peers, paths).map((file) => testFiles([file], 5 * minute)),
    alone: 2,
  }),
  console: (paths) => ({
    title: 'the console in a browser',
    commands: selectFiles(filesOf.console, paths).map((file) => testFiles([file], 5 * minute)),
    alone: 2,
  }),
  seeds: () => ({
    title: 'the pipeline, servers with random replies, properties and changes during mail, under more seeds',
    commands: [
      testFiles(['test/functions/pipeline/pipeline.test.ts'], 10 * minute, { PIPELINE_SEEDS: '100' }),
      {
        args: ['--test-force-exit', 'test/shared/net/levels/fuzz.test.ts'],
        env: { FUZZ_RUNS: '1500' },
        limitMs: 10 * minute,
      },
      testFiles(['test/shared/mail/dsn/properties.test.ts'], 5 * minute, { DSN_RUNS: '250' }),
      testFiles(['test/shared/authentication/authenticate-message.test.ts'], 5 * minute, {
        AUTHENTICATION_RUNS: '3000',
      }),
      testFiles(['test/functions/seal-hour/exactness.test.ts'], 5 * minute, { SEAL_RUNS: '150' }),
      testFiles(['test/local/changes.test.ts'], 5 * minute, { CHANGES_MESSAGES: '300' }),
    ],
    alone: 2,
  }),
  fuzz: () => ({
    title: 'the ingress under clients, and the SMTP client under servers, that send any octets',
    commands: [
      {
        ...program('--expose-gc', 'test/fuzz/ingress/main.ts', '--seed', '20261129'),
        env: { FUZZ_SESSIONS: '50000' },
      },
      program('test/fuzz/client/main.ts', '--seed', '20261129'),
    ],
    alone: 2,
    prints: true,
  }),
  faults: () => ({
    title: 'faults and kills between the ingress and its store',
    commands: [
      ...filesOf.faults.map((file) => testFiles([file], 2 * minute)),
      program('test/faults/main.ts', '--messages', '20000', '--kills', '5'),
    ],
    alone: 1,
    prints: true,
  }),
  memory: () => ({
    title: 'lists of recipients, and a thousand concurrent large messages',
    commands: [program('--expose-gc', 'test/faults/recipient-memory.ts'), program('test/faults/memory.ts')],
    alone: 1,
    prints: true,
  }),
  thresholds: () => ({
    title: 'growth of costs with the size of the input',
    commands: [program('test/bench/thresholds.ts')],
    alone: 1,
    prints: true,
  }),
}

const selectFiles = (files: readonly string[], paths: readonly string[]): readonly string[] =>
  paths.length === 0 ? files : files.filter((file) => paths.some((path) => file.startsWith(path)))

const [names, paths] = [process.argv.slice(2), [] as string[]]
while (names.length > 0 && parts[names.at(-1) ?? ''] === undefined)
  paths.unshift((names.pop() ?? '').replace(/^\.\//, ''))

/** A misspelt name must not pass as a part without tests. */
const fault = faultOf(names, paths)
if (fault !== null) {
  process.stderr.write(`test/run.ts: ${fault}; the parts are ${Object.keys(parts).join(', ')}\n`)
  process.exit(2)
}

function faultOf(names: readonly string[], paths: readonly string[]): string | null {
  const unknownName = names.find((name) => parts[name] === undefined)
  if (unknownName !== undefined) return `"${unknownName}" is no part`
  if (names.length === 0) return `no part is named${paths.length > 0 ? ` before "${paths[0]}"` : ''}`
  const files = names.flatMap((name) => (filesOf as Record<string, readonly string[]>)[name] ?? [])
  const unknownPath = paths.find((path) => !files.some((file) => file.startsWith(path)))
  return unknownPath === undefined
    ? null
    : `"${unknownPath}" is no test file or folder of ${names.join(', ')}`
}

const running = new Set<ChildProcess>()
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    for (const child of running) child.kill('SIGTERM')
    process.exit(1)
  })

/** Four concurrent programs keep two processors busy, because tests also wait. */
const limiter = concurrencyLimiter(4)
let hasFailed = false
const total: Counts = { passed: 0, failed: 0, skipped: 0 }
process.exitCode = (await runAll(names.map((name) => parts[name]?.(paths) as Part))) ? 0 : 1
process.stdout.write(`\n${asText(total)}\n`)

/** Starts programs in the order of the parts, a few at the same time. When a program fails, no other program starts. */
async function runAll(all: readonly Part[]): Promise<boolean> {
  const results: Promise<boolean>[] = []
  for (const part of all) {
    if (part.alone === undefined) results.push(runPart(part, limiter))
    else if ((await Promise.all(results)).every(Boolean))
      results.push(runPart(part, concurrencyLimiter(part.alone)))
  }
  return (await Promise.all(results)).every(Boolean)
}

async function runPart(
  { title, commands, prints = false }: Part,
  limit: ReturnType<typeof concurrencyLimiter>,
): Promise<boolean> {
  let startedAt = 0
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 }
  const outcomes = await Promise.all(
    commands.map((command) =>
      limit(async () => {
        if (hasFailed) return false
        if (startedAt === 0) {
          startedAt = performance.now()
          process.stdout.write(`${title} …\n`)
        }
        const { output, fault } = await run(command, prints)
        for (const sum of [counts, total]) add(sum, countsIn(output))
        if (fault === null) return true
        hasFailed = true
        process.stdout.write(`\n${command.args.join(' ')}: ${fault}\n${prints ? '' : output}\n`)
        return false
      }),
    ),
  )
  const isGood = outcomes.every(Boolean)
  if (startedAt === 0) return isGood
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  const countsText = counts.passed + counts.failed + counts.skipped > 0 ? `: ${asText(counts)}` : ''
  process.stdout.write(`${title} ${isGood ? 'passed' : 'FAILED'} in ${seconds} s${countsText}\n`)
  return isGood
}

async function run(
  { args, env, limitMs }: Command,
  prints: boolean,
): Promise<{ output: string; fault: string | null }> {
  const child = spawn(process.execPath, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { NODE_COMPILE_CACHE: compileCache, ...process.env, ...env },
  })
  running.add(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (prints) process.stdout.write(text)
    })
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs)
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
    child.once('close', (...result) => resolve(result)),
  )
  clearTimeout(timer)
  running.delete(child)
  return { output, fault: code === 0 ? null : `ended with ${signal ?? code}` }
}

/** Reads the totals at the end of the output of Node's reporter. */
function countsIn(output: string): Counts {
  const count = (name: string) => Number(new RegExp(`^ℹ ${name} (\\d+)$`, 'm').exec(output)?.[1] ?? 0)
  return {
    passed: count('pass'),
    failed: count('fail') + count('cancelled'),
    skipped: count('skipped') + count('todo'),
  }
}

function add(sum: Counts, { passed, failed, skipped }: Counts): void {
  sum.passed += passed
  sum.failed += failed
  sum.skipped += skipped
}

function asText({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`
}
