import { newRecipient, type Recipient } from '../../../shared/contract/message.ts'
import { comparableMailbox } from '../../../shared/mail/address.ts'
import { type PostmasterSettings, resolvePostmaster } from '../../../shared/policy/postmaster.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import type { Transaction } from '../protocol/session.ts'

/**
 * Returns the recipients of a transaction. Two spellings of one mailbox are one recipient. A recipient whose address
 * changes keeps the address of RCPT TO as ORCPT (RFC 3461 §5.2.1), so that its sender recognises it in a DSN.
 */
export function distinctRecipients(
  recipients: Transaction['recipients'],
  snapshot: Snapshot,
  postmaster: PostmasterSettings,
): Recipient[] {
  const distinct = new Map<string, Recipient>()
  for (const { address, notify, orcpt } of recipients) {
    const resolved = resolvePostmaster(address, snapshot, postmaster)
    distinct.set(comparableMailbox(resolved), {
      ...newRecipient(resolved),
      notify,
      // No character of this address needs escaping in xtext. `postmaster` without a domain is not of type rfc822.
      orcpt: orcpt ?? (resolved !== address && address.includes('@') ? `rfc822;${address}` : null),
    })
  }
  return [...distinct.values()]
}
