import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tooManyForConnector } from '../../../../functions/smtp-ingress/limits/message-rate-limiter.ts'
import * as syntax from '../../../../functions/smtp-ingress/protocol/refusals.ts'
import {
  handshakeRejectionReason,
  isRejection,
} from '../../../../functions/smtp-ingress/rejections/rejection.ts'
import * as replies from '../../../../functions/smtp-ingress/replies.ts'

const rows: [refusal: replies.Refusal, isRejected: boolean][] = [
  [replies.tooManySessions, true],
  [replies.tooManyConnections, true],
  [replies.tooManyNewConnections, true],
  [replies.serviceUnavailable, true],
  [replies.idleSessionEnded, true],
  [replies.storageUnavailable, true],
  [replies.connectorsUnavailable, true],
  [replies.insufficientSpool, true],
  [replies.spoolUnavailable, true],
  [replies.internalError, true],
  [replies.internalErrorClosing, true],
  [replies.unknownTlsFacts, true],
  [replies.certificateNotRequested, true],
  [replies.requiresTls, true],
  [replies.unknownRecipient, true],
  [replies.tooManyUnknownRecipients, true],
  [replies.needsSmtpUtf8, true],
  [replies.tooManyHops, true],
  [replies.routingLoop, true],
  [replies.tooLarge(1), true],
  [replies.messageHasBareNewlines, true],
  [replies.tooManyErrors, true],
  [replies.tooManyCommands, true],
  [replies.senderTooLong, true],
  [syntax.badSender, true],
  [syntax.badRecipient, true],
  [tooManyForConnector, true],
  [replies.canaryUnavailable, false],
  [replies.timedOut, false],
  [replies.tooManyRecipients, false],
  [replies.needsMail, false],
  [replies.tlsAlreadyActive, false],
  [replies.lineTooLong, false],
  [replies.bareLineFeed, false],
  [replies.spokeBeforeGreeting, false],
  [replies.dataBefore354, false],
  [replies.httpRequest, false],
  [replies.tlsWithoutStartTls, false],
  [replies.parameterUnknown('FUTURE'), false],
  [syntax.commandUnknown, false],
  [syntax.commandNotOffered, false],
  [syntax.badHostName, false],
  [syntax.chunkSizeUnknown, false],
  [syntax.invalidParameter('x'), false],
]
for (const [refusal, isRejected] of rows)
  test(`${refusal.reply.code} ${refusal.reply.enhanced} ${refusal.reply.text} is ${isRejected ? 'a' : 'no'} rejection`, () =>
    assert.equal(isRejection(refusal), isRejected))

test('a failed handshake is a rejection unless the client gave up or does not speak TLS', () => {
  assert.equal(handshakeRejectionReason('OldProtocol'), 'TlsHandshakeOldProtocol')
  assert.equal(handshakeRejectionReason('CertificateRefused'), 'TlsHandshakeCertificateRefused')
  for (const failure of ['Closed', 'TimedOut', 'NotTls'] as const)
    assert.equal(handshakeRejectionReason(failure), null)
})
