/** Compares the client's view with the stored data. */
import { hash } from 'node:crypto'
import { EvaluationJob } from '../../shared/contract/jobs.ts'
import { type Ledger, readReversePath, type Try } from './ledger.ts'
import type { StoredData, StoredJob } from './stored-data.ts'

export interface Evidence {
  messages: number
  ledger: Ledger
  storedData: Pick<StoredData, 'objects' | 'jobs' | 'invalidRequests'>
  /** Times at which a process of the ingress was killed, in milliseconds of `performance.now`. */
  kills: readonly number[]
  /** Returns the content as it was sent. */
  contentOf(message: number): Buffer
}

export interface Comparison {
  /** Violations; empty when there are none. */
  findings: string[]
  accepted: number
  /** Number of jobs beyond one per accepted try, by cause. */
  duplicates: Map<string, number>
  /** Number of tries by ending. */
  tries: Map<string, number>
}

interface IdentifiedJob extends StoredJob {
  id: string
}

/** Maximum time from the kill of a process until its client notices the closed connection. */
const maxNoticeMs = 2000

export function compareWithStorage(evidence: Evidence): Comparison {
  const { messages, ledger, storedData: stored } = evidence
  const findings = [...stored.invalidRequests]
  const duplicates = new Map<string, number>()
  const endings = new Map<string, number>()
  const jobs = readJobs(evidence, findings)
  let accepted = 0
  for (let message = 0; message < messages; message++) {
    const tries = ledger.tries.get(message) ?? []
    const acceptedCount = tries.filter(({ ending }) => ending.kind === 'Accepted').length
    accepted += acceptedCount
    if (acceptedCount !== 1) findings.push(`message ${message} was accepted ${acceptedCount} times`)
    for (const [number, attempt] of tries.entries()) {
      add(endings, attempt.ending.kind)
      if (attempt.ending.kind === 'Refused' || attempt.ending.kind === 'Silent')
        findings.push(`message ${message}, try ${number}: ${JSON.stringify(attempt.ending)}`)
      compareTry(`message ${message}, try ${number}`, attempt, jobs.get(`${message}.${number}`) ?? [], {
        kills: evidence.kills,
        findings,
        duplicates,
      })
    }
  }
  return { findings, accepted, duplicates, tries: endings }
}

/** Parses jobs as evaluate-policy does. @returns the jobs of each try */
function readJobs(
  { storedData: stored, messages, contentOf }: Evidence,
  findings: string[],
): Map<string, IdentifiedJob[]> {
  const jobs = new Map<string, IdentifiedJob[]>()
  for (const job of stored.jobs) {
    const parsed = EvaluationJob.safeParse(JSON.parse(job.body))
    if (!parsed.success) {
      findings.push(`a job cannot be parsed: ${parsed.error.message}`)
      continue
    }
    const { message, recipients } = parsed.data
    const sentTry = readReversePath(message.envelope.mailFrom)
    if (!sentTry || sentTry.message >= messages) {
      findings.push(`job ${message.id} belongs to no message that was sent: ${message.envelope.mailFrom}`)
      continue
    }
    if (recipients.map(({ address }) => address).join() !== 'b@ours.example')
      findings.push(`job ${message.id} has other recipients`)
    const fault = contentFault(message, stored.objects, contentOf(sentTry.message))
    if (fault) findings.push(`job ${message.id}: ${fault}`)
    const key = `${sentTry.message}.${sentTry.number}`
    jobs.set(key, [...(jobs.get(key) ?? []), { ...job, id: message.id }])
  }
  return jobs
}

function contentFault(
  { id, size, content }: EvaluationJob['message'],
  objects: StoredData['objects'],
  sent: Buffer,
): string | null {
  const object = objects.get(`${content.bucket}/${content.key}`)
  if (!object) return `there is no object ${content.key}`
  const octets = object.subarray(content.offset, content.offset + content.length)
  if (octets.length !== content.length || size !== content.length)
    return 'its content has another length than the job says'
  if (hash('sha256', octets) !== content.sha256) return 'its content has another SHA-256 than the job says'
  const trace = octets.subarray(0, octets.length - sent.length).toString('latin1')
  if (!octets.subarray(trace.length).equals(sent)) return 'its content differs from the sent content'
  const isOneField = /^Received: [^\r\n]+(?:\r\n\t[^\r\n]+)*\r\n$/.test(trace)
  return isOneField && trace.includes(` id ${id}`)
    ? null
    : `before its content there is ${JSON.stringify(trace)}`
}

interface Findings {
  kills: readonly number[]
  findings: string[]
  duplicates: Map<string, number>
}

function compareTry(name: string, attempt: Try, jobs: readonly IdentifiedJob[], context: Findings): void {
  const { ending } = attempt
  const ids = new Set(jobs.map(({ id }) => id))
  if (ids.size > 1) context.findings.push(`${name} has jobs of ${ids.size} messages`)
  const kill = context.kills.find((at) => at >= attempt.began && at <= attempt.ended)
  if (ending.kind === 'Closed' && !wasKilled(attempt, context.kills))
    context.findings.push(`${name}: its connection was closed although no process had been killed`)
  if (ending.kind === 'Accepted' && !ids.has(ending.id))
    context.findings.push(`${name} was accepted as ${ending.id}, but there is no such job`)
  if (ending.kind === 'Accepted' && !jobs.some(isConfirmed))
    context.findings.push(`${name} was accepted without a confirmation of the queue`)
  // An accepted try has one job that is no duplicate. If possible, it is a job whose confirmation arrived.
  const surplus = [...jobs]
    .sort((first, second) => rank(first) - rank(second))
    .slice(ending.kind === 'Accepted' ? 1 : 0)
  for (const job of surplus) {
    if (typeof job.confirmation === 'object')
      add(context.duplicates, `the queue's response was lost: ${job.confirmation.fault}`)
    else if (ending.kind === 'Closed' && kill !== undefined)
      add(context.duplicates, 'the process was killed before its reply')
    else
      context.findings.push(
        `${name} (${ending.kind}) has a job without a cause: ${job.id}, ${job.confirmation}`,
      )
  }
}

/** The ingress may have received a response that was sent too late. */
const isConfirmed = ({ confirmation }: StoredJob) =>
  confirmation === 'Taken' || (typeof confirmation === 'object' && confirmation.fault === 'response too late')

/** Sorts jobs whose confirmation was lost or late after the others. */
const rank = ({ confirmation }: StoredJob) => (typeof confirmation === 'object' ? 1 : 0)

/**
 * Whether a kill may have closed the connection of a try. The connection may be older than the try, so a kill shortly
 * before the try counts too.
 */
const wasKilled = ({ began, ended }: Try, kills: readonly number[]) =>
  kills.some((at) => at >= began - maxNoticeMs && at <= ended)

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}
