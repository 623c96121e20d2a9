/** How the connectors of one snapshot assess the sender of a MAIL: an evaluation for each scope of recipients. */
import type { Message } from '../../../shared/contract/message.ts'
import {
  evaluateInbound,
  type InboundEvaluation,
  isProvisional,
  recipientScope,
  type Session,
} from '../../../shared/policy/inbound.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'

export class SenderAssessment {
  readonly snapshot: Snapshot
  readonly session: Session
  readonly #evaluations = new Map<string | null, InboundEvaluation>()

  constructor(snapshot: Snapshot, session: Session) {
    this.snapshot = snapshot
    this.session = session
  }

  hasEvaluated(address: string): boolean {
    return this.#evaluations.has(recipientScope(this.snapshot, address))
  }

  evaluationFor(address: string): InboundEvaluation {
    const scope = recipientScope(this.snapshot, address)
    const known = this.#evaluations.get(scope)
    if (known !== undefined) return known
    const evaluation = evaluateInbound(this.snapshot, this.session, scope)
    this.#evaluations.set(scope, evaluation)
    return evaluation
  }
}

/** The connector that identifies the client, without one that still needs the message's content for that. */
export const confirmedOwner = (evaluation: InboundEvaluation): InboundEvaluation['attributedTo'] =>
  isProvisional(evaluation) ? null : evaluation.attributedTo

/** A message comes from the organisation if it does for one of its recipients. */
export function attributionOf(
  evaluations: readonly InboundEvaluation[],
): Pick<Message, 'direction' | 'attributedTo'> {
  const owner = evaluations.map(confirmedOwner).find((connector) => connector !== null)
  return { direction: owner ? 'Originating' : 'Incoming', attributedTo: owner?.id ?? null }
}
