/** The acts on an unknown certificate, in the order of safety. Pure. */
import type { Role } from '../../../../../shared/contract/roles.ts'
import type { UnknownCertificate } from '../../api/types.ts'
import { admitsText, dismissText, holdText, mayHold, type Proposal, proposalTitle } from './unknown-text.ts'

export type Act = { role: Extract<Role, 'operate' | 'administer'> } & (
  | { kind: 'Dismiss' }
  | { kind: 'Hold' }
  | { kind: 'Add'; proposal: Proposal }
)

/** Nothing that a resolved entry needs is left to do. */
export function actsOf({ state, connector, proposals }: UnknownCertificate): Act[] {
  if (state === 'Resolved') return []
  return [
    ...(state === 'Dismissed' ? [] : [{ kind: 'Dismiss', role: 'operate' } as const]),
    ...(mayHold(connector) ? [{ kind: 'Hold', role: 'administer' } as const] : []),
    ...proposals.map((proposal) => ({ kind: 'Add', role: 'administer', proposal }) as const),
  ]
}

export function actTitle(act: Act): string {
  if (act.kind === 'Dismiss') return 'Not theirs: dismiss'
  return act.kind === 'Hold' ? 'Hold the mail' : proposalTitle(act.proposal)
}

/** What the act admits. */
export function actText(act: Act): string {
  if (act.kind === 'Dismiss') return dismissText
  return act.kind === 'Hold' ? holdText : admitsText(act.proposal)
}

/** The effects on mail, in sentences. */
export function mailEffects(act: Act, { connector, effects }: UnknownCertificate): string[] {
  const { senderDomains, mode, onViolation } = connector
  const domains = senderDomains.length === 0 ? 'the partner' : senderDomains.slice(0, 3).join(', ')
  switch (act.kind) {
    case 'Dismiss':
      return [
        `Mail with this certificate is handled as before: ${mode === 'ReportOnly' ? 'it is accepted and recorded' : onViolation === 'Defer' ? 'it waits, and bounces at its expiry' : 'it is refused'}.`,
        'You get no notice about it at this connector for 90 days.',
      ]
    case 'Hold':
      return [
        `Mail of ${domains} that violates this connector waits instead of being refused. That includes mail of strangers in the partner’s name.`,
        'Held mail is decided again every quarter of an hour. It is delivered when the connector accepts its certificate, and otherwise bounces at its expiry.',
      ]
    case 'Add':
      return [
        `Mail of ${domains} with ${act.proposal.admits === 'ThisCertificate' ? 'this certificate' : 'a certificate of this name'} is accepted from now on.`,
        ...(effects.some(({ effect }) => effect === 'Held')
          ? ['Mail that waits because of this certificate is delivered at its next decision.']
          : []),
        ...(effects.some(({ effect }) => effect === 'Refused')
          ? ['Mail that was refused is not here: its senders must send it again.']
          : []),
      ]
  }
}
