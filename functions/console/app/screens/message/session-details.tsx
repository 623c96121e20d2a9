/** How a message was received: the client, its TLS session and certificate, the envelope, and its sender's authentication. */
import Container from '@cloudscape-design/components/container'
import Header from '@cloudscape-design/components/header'
import type { KeyValuePairsProps } from '@cloudscape-design/components/key-value-pairs'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import type { ReactNode } from 'react'
import type { TraceEntry } from '../../api/types.ts'
import { BreakableText } from '../../components/breakable-text.tsx'
import { octetsText } from '../../components/octets-text.ts'
import { Pairs } from '../../components/pairs.tsx'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { authenticationText, inboundSessionText, senderText, tenantText } from './session-text.ts'

type Items = KeyValuePairsProps.Item[]

export function SessionDetails({ entry }: { entry: TraceEntry }) {
  const { receivedAt, source, envelope, direction, headerMessageId, size, id } = entry
  const items: Items = [
    { label: 'Received', value: <Time precision="Second" at={receivedAt} /> },
    { label: 'Sender', value: <TextOfOthers text={senderText(envelope.mailFrom)} /> },
    { label: 'Direction', value: directionTexts[direction] ?? direction },
    {
      label: 'Client',
      value:
        source === null ? (
          'None: mailflow created the message'
        ) : (
          <TextOfOthers text={`${source.ip} (${source.helo})`} />
        ),
    },
    { label: 'Session', value: <Session entry={entry} /> },
    { label: 'Size', value: octetsText(size) },
    {
      label: 'Message-ID',
      value: headerMessageId === null ? 'None' : <TextOfOthers text={headerMessageId} />,
    },
    { label: 'Id in mailflow', value: <TextOfOthers text={id} /> },
    ...(envelope.requireTls ? [{ label: 'REQUIRETLS', value: 'The sender requires TLS of each hop' }] : []),
    ...certificateItems(entry),
    ...senderItems(entry),
  ]
  return (
    <Container header={<Header variant="h2">How it was received</Header>}>
      <Pairs columns={3} items={items} />
    </Container>
  )
}

const directionTexts: Readonly<Record<string, string>> = {
  Originating: 'Originating: from the organisation',
  Incoming: 'Incoming: from outside',
}

function Session({ entry }: { entry: TraceEntry }) {
  const { tls, source } = entry
  if (!tls.negotiated)
    return source === null ? (
      inboundSessionText(entry)
    ) : (
      <StatusIndicator type="warning">in the clear</StatusIndicator>
    )
  return (
    <StatusIndicator type="success">
      <BreakableText text={[tls.protocol, tls.cipher].filter(Boolean).join(', ')} />
      {tls.serverName === null ? '' : `, for ${tls.serverName}`}
    </StatusIndicator>
  )
}

function certificateItems({ tls }: TraceEntry): Items {
  const certificate = tls.clientCertificate
  if (certificate === null) return []
  const { subject, issuer, subjectAltNames, notBefore, notAfter, trusted, trustError, revocation } =
    certificate
  return [
    { label: "Client's certificate", value: <TextOfOthers text={`${subject}, issued by ${issuer}`} /> },
    { label: 'Its names', value: <TextOfOthers text={subjectAltNames.join(', ') || 'none'} /> },
    {
      label: 'Valid',
      value: (
        <>
          <Time at={notBefore} /> to <Time at={notAfter} />
        </>
      ),
    },
    {
      label: 'Trust',
      value: trusted ? (
        'Trusted by the public roots'
      ) : (
        <TextOfOthers text={`Not trusted by the public roots (${trustError ?? 'unknown'})`} />
      ),
    },
    ...(revocation === undefined
      ? []
      : [
          {
            label: 'Revocation',
            value: <TextOfOthers text={`${revocation.status}: ${revocation.detail}`} />,
          },
        ]),
    { label: 'SHA-256', value: <TextOfOthers text={certificate.fingerprint256} /> },
  ]
}

function senderItems({ authentication, exchangeOnline }: TraceEntry): Items {
  return [
    ...(exchangeOnline === null
      ? []
      : [{ label: 'Tenant', value: <TextOfOthers text={tenantText(exchangeOnline)} /> }]),
    ...(authentication === null
      ? []
      : [{ label: 'Authentication', value: lines(authenticationText(authentication)) }]),
  ]
}

const lines = (texts: readonly string[]): ReactNode =>
  texts.map((text) => (
    <div key={text}>
      <TextOfOthers text={text} />
    </div>
  ))
