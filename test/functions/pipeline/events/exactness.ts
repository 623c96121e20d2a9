/** Compares the rollups with what clients and next hops counted. */
import type { RollupRow } from '../../../../shared/events/rollup-row.ts'
import { missingCount, type SealMarker } from '../../../../shared/events/seal-marker.ts'
import type { Facts, MessageRun } from './message-run.ts'
import { lastLookHours, Recording } from './recording.ts'

export interface Comparison {
  what: string
  counted: number
  rollups: number
  /** Whether the rollups may have more. */
  relation: '=' | '<='
}

export interface Result {
  /** The rules that the events of single messages break (event-rules.ts). */
  broken: string[]
  comparisons: Comparison[]
  events: { distinct: number; duplicates: number; late: number }
  recording: Recording['counts']
  /** Missing events at the last comparison with the messages table; before the injected loss, and after it. */
  missing: number
  lost: string[]
  found: string[]
  sealSeconds: number
}

export class ExactnessCheck {
  readonly #recording: Recording
  readonly #facts: Partial<Facts> = {}
  readonly #broken: string[] = []

  constructor(seed: number) {
    this.#recording = new Recording(seed)
  }

  async add(run: MessageRun): Promise<void> {
    for (const [name, value] of Object.entries(run.facts) as [keyof Facts, number][])
      this.#facts[name] = (this.#facts[name] ?? 0) + value
    for (const line of run.broken) this.#broken.push(line)
    await this.#recording.add(run)
  }

  async result(): Promise<Result> {
    const recording = this.#recording
    await recording.end()
    const startedAt = performance.now()
    const markers = await recording.seal()
    const sealSeconds = (performance.now() - startedAt) / 1000
    const rows = recording.sealed.rollups().flatMap((rollup) => rollup.rows)
    const comparisons = [
      ...compare(this.#facts as Facts, rows),
      {
        what: 'ids of all events that the functions sent',
        counted: recording.ids.size,
        rollups: sum(rows, ({ events }) => events),
        relation: '=' as const,
      },
    ]
    const lost = recording.loseEvents(['Accepted', 'Decided', 'Attempted', 'Delivered', 'Bounced'])
    const found = (await recording.seal()).filter(isLastLook)
    return {
      broken: this.#broken,
      comparisons,
      events: {
        distinct: sum(markers, ({ events }) => events),
        duplicates: sum(markers, ({ duplicates }) => duplicates),
        late: sum(markers, ({ late }) => late),
      },
      recording: recording.counts,
      missing: sum(markers.filter(isLastLook), ({ reconciliation }) => missingCount(reconciliation)),
      lost: lost.map(({ kind, messageId }) => `${kind} ${messageId}`).sort(),
      found: found
        .flatMap(({ reconciliation }) => reconciliation.samples)
        .map(({ kind, messageId }) => `${kind} ${messageId}`)
        .sort(),
      sealSeconds,
    }
    function isLastLook({ hour }: SealMarker): boolean {
      return hour >= (markers[lastLookHours]?.hour ?? '')
    }
  }
}

function compare(facts: Facts, rows: readonly RollupRow[]): Comparison[] {
  const events = (kind: RollupRow['kind'], decision?: RollupRow['decision']) =>
    sum(
      rows.filter((row) => row.kind === kind && (decision === undefined || row.decision === decision)),
      (row) => row.events,
    )
  const unknown = events('Attempted', 'Unknown')
  const delivered = events('Delivered')
  return [
    {
      what: 'Accepted: messages of clients, and DSNs',
      counted: facts.messages,
      rollups: events('Accepted'),
      relation: '=',
    },
    {
      what: 'Delivered: recipients that next hops accepted, and that did not bounce',
      counted: facts.accepted - facts.acceptedThenBounced,
      rollups: delivered,
      relation: '=',
    },
    { what: 'Bounced: recipients', counted: facts.bounced, rollups: events('Bounced'), relation: '=' },
    {
      what: 'Notified: recipients and actions in DSNs',
      counted: facts.notified,
      rollups: events('Notified'),
      relation: '=',
    },
    {
      what: 'acceptances, with copies <= Delivered + Unknown',
      counted: facts.acceptances,
      rollups: delivered + unknown,
      relation: '<=',
    },
    {
      what: 'attempts <= Delivered + Attempted',
      counted: facts.attempts,
      rollups: delivered + events('Attempted'),
      relation: '<=',
    },
    {
      what: 'recipients accepted, then bounced <= Unknown',
      counted: facts.acceptedThenBounced,
      rollups: unknown,
      relation: '<=',
    },
  ]
}

export const isExact = ({ counted, rollups, relation }: Comparison): boolean =>
  relation === '=' ? counted === rollups : counted <= rollups

const sum = <T>(items: readonly T[], value: (item: T) => number): number =>
  items.reduce((total, item) => total + value(item), 0)
