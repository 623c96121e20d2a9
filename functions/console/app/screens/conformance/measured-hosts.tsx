/** The MX hosts of a comparison: when each was measured, or why it was not. */
import Alert from '@cloudscape-design/components/alert'
import Box from '@cloudscape-design/components/box'
import Container from '@cloudscape-design/components/container'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import type { DomainConformance } from '../../api/types.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'

type Host = DomainConformance['hosts'][number]

const stateTexts = {
  Measured: { label: 'Measured', indication: 'success' },
  Partly: { label: 'Partly measured', indication: 'warning' },
  NotMeasured: { label: 'Not measured', indication: 'error' },
} as const

export const MeasuredHosts = ({ conformance: { hosts, detail } }: { conformance: DomainConformance }) => (
  <Container
    header={
      <Header
        variant="h3"
        description="About thirty handshakes with each host, before any mail. Those that this gateway refuses count as refused, as any other."
      >
        MX hosts
      </Header>
    }
  >
    <SpaceBetween size="s">
      {detail !== null && (
        <Alert type="warning" header="No MX host was measured">
          <TextOfOthers text={`${detail}.`} />
        </Alert>
      )}
      {hosts.map((host) => (
        <MeasuredHost key={host.host} host={host} />
      ))}
      <Box variant="small" color="text-body-secondary">
        The TLS of mailflow as a client was measured when this version was made: it is the same for each
        domain.
      </Box>
    </SpaceBetween>
  </Container>
)

const MeasuredHost = ({ host: { host, isGateway, port, state, detail, measuredAt } }: { host: Host }) => (
  <div>
    <Box variant="strong">
      <TextOfOthers text={host} />
    </Box>
    {isGateway ? ', this gateway' : ', not this gateway'}, port {port}:{' '}
    <StatusIndicator type={stateTexts[state].indication}>{stateTexts[state].label}</StatusIndicator>{' '}
    <Time at={measuredAt} />
    {detail !== null && (
      <div>
        <TextOfOthers text={`${detail}.`} />
        {isGateway &&
          state === 'NotMeasured' &&
          ' What was measured when this version was made is shown instead.'}
      </div>
    )}
  </div>
)
