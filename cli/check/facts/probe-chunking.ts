/** Finds out whether a server that announces CHUNKING (RFC 3030) implements BDAT, without a message. */
import { parseReply } from '../../../shared/mail/reply.ts'
import type { SmtpConnection } from '../../../shared/net/smtp/connection.ts'
import { assessSession } from '../../../shared/net/smtp/tls-clearance.ts'
import type { ServerTls } from '../../../shared/tls/assess-server-tls.ts'
import { opportunistic } from '../../../shared/tls/requirement.ts'
import { exchangeCommand } from './exchange-command.ts'
import type { ChunkingSupport } from './facts.ts'

/**
 * Sends an empty last chunk without MAIL: a server with BDAT replies 503, because the command is out of order. Never
 * throws.
 */
export async function probeChunking(
  { session }: SmtpConnection,
  tls: ServerTls,
  signal: AbortSignal,
): Promise<ChunkingSupport> {
  const assessment = await assessSession(session, tls, { enforced: opportunistic, signal })
  if (assessment.kind !== 'Met') return { kind: 'NotTested' }
  const answer = await exchangeCommand(session, assessment.clearance, 'BDAT 0 LAST\r\n')
  return answer.kind === 'Reply' ? chunkingShownBy(answer.text) : { kind: 'NotTested' }
}

/** 500, 501, 502 and 504 say that the command is not known (RFC 5321 §4.2.4). */
function chunkingShownBy(text: string): ChunkingSupport {
  const serverReply = parseReply(text)
  const isUnknown = serverReply === null || [500, 501, 502, 504].includes(serverReply.code)
  return isUnknown ? { kind: 'Refused', serverReply: text } : { kind: 'Accepted' }
}
