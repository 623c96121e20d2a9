/** A refusal: what is known of a session, sender, recipient or message that mailflow did not accept. */
import Alert from '@cloudscape-design/components/alert'
import Container from '@cloudscape-design/components/container'
import Header from '@cloudscape-design/components/header'
import type { RejectedEvent } from '../../api/types.ts'
import { useConnectorNames } from '../../api/use-connector-names.ts'
import { ConnectorLink } from '../../components/connector-link.tsx'
import { Pairs } from '../../components/pairs.tsx'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { reasonText } from '../partners/partner-numbers.ts'
import { stateSentences } from './message-acts.ts'
import { MessageState } from './message-state.tsx'
import { sizeText } from './octets.ts'
import { senderText } from './session-text.ts'

export const NoSuchMessage = () => (
  <Alert type="info" header="There is no such message">
    Check the id. Traces and events are deleted after their retention, and with an erasure.
  </Alert>
)

export function Refusal({ refusal }: { refusal: RejectedEvent }) {
  const { at, count = 1, stage, reason, reply, sender, recipient, clientIp, helo, tlsVersion } = refusal
  const { requiredLevel, headerMessageId, size, inboundConnector } = refusal
  const connector = useConnectorNames().data?.find(({ id }) => id === inboundConnector)
  const others = {
    'Reply to the client': reply,
    Recipient: recipient,
    Client: clientIp,
    'Name in EHLO': helo,
  }
  return (
    <Container
      header={
        <Header variant="h2" description={stateSentences.Rejected}>
          Refused in the session
        </Header>
      }
    >
      <Pairs
        columns={3}
        items={[
          { label: 'State', value: <MessageState state="Rejected" count={count} /> },
          { label: 'Refused', value: <Time precision="Second" at={at} /> },
          { label: 'Stage', value: stage ?? 'unknown' },
          {
            label: 'Reason',
            value: (
              <>
                <div>{reason ?? 'unknown'}</div>
                {reason && reasonText(reason) && <small>{reasonText(reason)}</small>}
              </>
            ),
          },
          ...(connector === undefined
            ? []
            : [
                {
                  label: 'Connector',
                  value: <ConnectorLink {...connector} />,
                },
              ]),
          ...(sender === undefined
            ? []
            : [{ label: 'Sender', value: <TextOfOthers text={senderText(sender)} /> }]),
          ...Object.entries({ ...others, 'Message-ID': headerMessageId }).flatMap(([label, text]) =>
            text === undefined ? [] : [{ label, value: <TextOfOthers text={text} /> }],
          ),
          { label: 'Session', value: tlsVersion ?? 'in the clear' },
          ...(requiredLevel === undefined ? [] : [{ label: 'Required of the client', value: requiredLevel }]),
          ...(size === undefined ? [] : [{ label: 'Size', value: sizeText(size) }]),
        ]}
      />
    </Container>
  )
}
