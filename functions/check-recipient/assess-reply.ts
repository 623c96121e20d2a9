/** What a mailbox server's reply says about the recipient. Pure. */
import type { CalloutResult } from '../../shared/contract/recipient-callout.ts'
import { parseReply } from '../../shared/mail/reply.ts'
import type { RecipientQueryResult } from '../../shared/net/smtp/recipient-query.ts'
import type { ServerReply } from '../../shared/net/smtp/reply-reader.ts'
import { replyForFault } from '../../shared/net/smtp-faults.ts'

/** RFC 5321 §4.2.3: mailbox unavailable, not local, or not allowed. 552 and 554 are about storage and the transaction. */
const mailboxCodes: ReadonlySet<number> = new Set([550, 551, 553])

/** RFC 3463 §3.2, without 5.1.7 to 5.1.9, which are about the sender. */
const aboutRecipient = /^5\.1\.(?:[0-6]|\d{2,3})$/

/**
 * Exchange Online, for a recipient that no directory has
 * (https://support.microsoft.com/topic/c0e98a8e-81db-49c2-9bf1-32a1734d3e77).
 */
const exchangeOnlineCode = '5.4.1'
const exchangeOnlineText = /^(?:\[\S*\]: )?Recipient address rejected: Access denied/i

/** The reply to MAIL, and a fault of the session, say nothing about the recipient. */
export function assessQuery(result: RecipientQueryResult): CalloutResult {
  if (result.kind === 'Failed') return { result: 'Undetermined', detail: replyForFault(result.fault).text }
  const detail = result.reply.text.slice(0, maxDetailLength)
  if (result.kind === 'SenderRefused')
    return { result: 'Undetermined', detail: `MAIL FROM:<> was refused: ${detail}` }
  return { result: assessRecipientReply(result.reply), detail }
}

const maxDetailLength = 500

export function assessRecipientReply({ code, text }: ServerReply): CalloutResult['result'] {
  if (code >= 200 && code < 300) return 'Exists'
  if (!mailboxCodes.has(code)) return 'Undetermined'
  const { enhanced = '', text: words = '' } = parseReply(text) ?? {}
  const isUnknown =
    enhanced === '' ||
    aboutRecipient.test(enhanced) ||
    (enhanced === exchangeOnlineCode && exchangeOnlineText.test(words))
  return isUnknown ? 'Unknown' : 'Undetermined'
}
