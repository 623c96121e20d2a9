/** The parts of the test suite. Each test file belongs to exactly one part (parts.test.ts). */
import { globSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '..')

const testFiles = globSync('test/**/*.test.ts', { cwd: root }).sort()
const isUnder = (file: string, folders: readonly string[]) =>
  folders.some((folder) => file.startsWith(folder))
const under = (...folders: string[]) => testFiles.filter((file) => isUnder(file, folders))

/**
 * Tests that take long: they start many programs (runners, ingresses, npm), bundle the stack, read the whole trace many
 * times, run DuckDB, or cover benchmarks, many kinds of certificates, outages, many messages or DSNs.
 */
const longer = [
  ...under(
    'test/bench/',
    'test/functions/pipeline/events/',
    'test/functions/pipeline/outages/',
    'test/shared/tls/chains/',
  ),
  'test/cli/check/certificate.test.ts',
  'test/cli/check/server.test.ts',
  'test/cli/connectors/connectors.test.ts',
  'test/cli/connectors/edit.test.ts',
  'test/cli/output.test.ts',
  'test/cli/process.test.ts',
  'test/cli/queues.test.ts',
  'test/cli/redrive.test.ts',
  'test/cli/trace/trace.test.ts',
  'test/drill/restore.test.ts',
  'test/functions/bounce-message/unknown-sender.test.ts',
  'test/functions/connector-api/changes.test.ts',
  'test/functions/connector-api/dead-letters.test.ts',
  'test/functions/connector-api/message-filters.test.ts',
  'test/functions/connector-api/queues.test.ts',
  'test/functions/connector-api/retry-all.test.ts',
  'test/functions/connector-api/retry.test.ts',
  'test/functions/connector-api/unknown-certificates.test.ts',
  'test/functions/connector-api/validate-inbound.test.ts',
  'test/functions/connector-api/waiting-mail.test.ts',
  'test/functions/deliver-message/ses-slots.test.ts',
  'test/functions/event-api/dry-runs.test.ts',
  'test/functions/pipeline/pipeline.test.ts',
  'test/functions/erase-address/rewrite-event-file.test.ts',
  'test/functions/evaluate-policy/notices.test.ts',
  'test/functions/report-tls/send-reports.test.ts',
  'test/functions/retry/retry.test.ts',
  'test/functions/rotate-certificate/run.test.ts',
  'test/functions/send-summary/handler.test.ts',
  'test/functions/smtp-ingress/main.test.ts',
  'test/functions/smtp-ingress/rotation.test.ts',
  'test/infra/address-hash-key.test.ts',
  'test/infra/alarms.test.ts',
  'test/infra/bundle-unit.test.ts',
  'test/infra/canary.test.ts',
  'test/infra/console.test.ts',
  'test/infra/dashboard.test.ts',
  'test/infra/environments.test.ts',
  'test/infra/event-search.test.ts',
  'test/infra/local/aws/athena.test.ts',
  'test/infra/local/aws/shared-sql.test.ts',
  'test/infra/local/sign-in.test.ts',
  'test/infra/local/synthesise.test.ts',
  'test/infra/nag.test.ts',
  'test/infra/protection.test.ts',
  'test/infra/synth.test.ts',
  'test/local/asking.test.ts',
  'test/local/certificates.test.ts',
  'test/local/changes.test.ts',
  'test/local/crashes.test.ts',
  'test/local/cutover.test.ts',
  'test/local/decisions.test.ts',
  'test/local/dry-run.test.ts',
  'test/local/erasure.test.ts',
  'test/local/events.test.ts',
  'test/local/exactness.test.ts',
  'test/local/exchange-online.test.ts',
  'test/local/expiry-watch.test.ts',
  'test/local/hashed-addresses.test.ts',
  'test/local/mta-sts.test.ts',
  'test/local/recipients.test.ts',
  'test/local/renewed-certificate.test.ts',
  'test/local/revocation.test.ts',
  'test/local/rotation.test.ts',
  'test/local/settings.test.ts',
  'test/local/start-faults.test.ts',
  'test/local/stop.test.ts',
  'test/local/summaries.test.ts',
  'test/local/tls-reports.test.ts',
  'test/local/validate.test.ts',
  'test/shared/event-queries/dry-run/next-hops.test.ts',
  'test/shared/event-queries/dry-run/properties.test.ts',
  'test/shared/event-queries/event-sql.test.ts',
  'test/shared/events/hash-addresses.test.ts',
  'test/shared/messages/history.test.ts',
  'test/shared/messages/rare-messages.test.ts',
  'test/shared/messages/waiting-list.test.ts',
  'test/shared/net/levels/levels.test.ts',
  'test/shared/policy/properties.test.ts',
  'test/shared/tls-reports/counters.test.ts',
  'test/shared/transport/observed-table.test.ts',
  'test/shared/transport/ses-rate-limiter.test.ts',
]
const isLonger = (file: string) => longer.includes(file)

export const filesOf = {
  unit: testFiles.filter(
    (file) =>
      !isUnder(file, ['test/local/', 'test/peers/', 'test/console/', 'test/faults/']) && !isLonger(file),
  ),
  local: under('test/local/').filter((file) => !isLonger(file)),
  longer,
  peers: under('test/peers/'),
  console: under('test/console/'),
  faults: under('test/faults/'),
}

/** Files that share a process, in this order; each group has its reason. */
const sharing: readonly (readonly string[])[] = [
  // These tests read the same templates, each synthesised once.
  testFiles.filter((file) => /^test\/(docs|infra)\/[^/]+$/.test(file)),
  // These tests share a runner.
  [
    'test/local/health.test.ts',
    'test/local/public-pages.test.ts',
    'test/local/retry.test.ts',
    'test/local/waiting-mail.test.ts',
  ],
]

/** Files that need their own process, the slowest first. */
export const alone: readonly (readonly [reason: string, ...patterns: RegExp[]])[] = [
  [
    'sets the authorities that every connection of its process trusts',
    /net\/levels\/(levels|fuzz|one-batch)/,
    /dry-run\/next-hops/,
    /mta-sts\/(fetch|delivery|source)/,
    /net\/resolver-tls/,
    /aws\/transports/,
    /cli\/dns\/dns\.test/,
    /report-tls\/send-reports/,
  ],
  [
    'reads its environment when it is loaded, as in Lambda',
    /\/handler\.test/,
    /deliver-message\/(tls-sessions|observed-certificates|stores)/,
    /evaluate-policy\/notices/,
    /aws\/target/,
  ],
  ['starts its own runners', /^test\/local\//, /^test\/peers\//],
]

/** Maximum number of files that share a process only to load common imports once. */
const maxFilesPerProcess = 24

/** The files of each process, in the order in which processes start. */
export function processesFor(files: readonly string[]): string[][] {
  const shared = sharing
    .map((group) => group.filter((file) => files.includes(file)))
    .filter(({ length }) => length > 0)
  const remainingFiles = files.filter((file) => !shared.flat().includes(file))
  const patterns = alone.flatMap(([, ...patterns]) => patterns)
  const single = new Set(patterns.flatMap((pattern) => remainingFiles.filter((file) => pattern.test(file))))
  const groupedFiles = remainingFiles.filter((file) => !single.has(file))
  const folders = Map.groupBy(groupedFiles, (file) => file.split('/', 2).join('/')).values()
  return [...shared, ...[...single].map((file) => [file]), ...[...folders].flatMap(chunks)]
}

const chunks = (files: readonly string[]): string[][] => {
  const count = Math.ceil(files.length / maxFilesPerProcess)
  const size = Math.ceil(files.length / count)
  return Array.from({ length: count }, (_, index) => files.slice(index * size, (index + 1) * size))
}
