/** The health in one line, the alarms that ring, and all alarms. */
import Box from '@cloudscape-design/components/box'
import Container from '@cloudscape-design/components/container'
import ExpandableSection from '@cloudscape-design/components/expandable-section'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import type { Health } from '../../api/types.ts'
import { useRead } from '../../api/use-api.ts'
import { Remote } from '../../components/remote.tsx'
import { Time } from '../../components/time.tsx'
import { ViewLink } from '../../components/view-link.tsx'
import { alarmIndicators, alarmLinks, alarmWords, healthIndicator, ringingFirst } from './overview-numbers.ts'
import { refetchMs } from './refresh.ts'

export function HealthStatus() {
  const result = useRead<Health>('/health', {}, refetchMs)
  return (
    <Container header={<Header variant="h2">Health</Header>} fitHeight>
      <Remote what="the alarms" result={result}>
        {({ status, summary, alarms }) => (
          <SpaceBetween size="xs">
            <StatusIndicator type={healthIndicator(status)}>{summary}</StatusIndicator>
            {alarms
              .filter(({ state }) => state === 'ALARM')
              .map(({ title, impact, since }) => (
                <Box key={title}>
                  <b>{title}</b>, since <Time at={since} />: {impact}{' '}
                  {(alarmLinks[title] ?? []).map(({ to, text }) => (
                    <span key={to} className="alarm-link">
                      <ViewLink to={to}>{text}</ViewLink>
                    </span>
                  ))}
                </Box>
              ))}
            {alarms.length > 0 && (
              <ExpandableSection
                headerText={`All alarms (${alarms.length})`}
                headerDescription="Each title says what is wrong when its alarm rings."
              >
                <ul className="names">
                  {ringingFirst(alarms).map(({ title, state, since }) => (
                    <li key={title}>
                      <StatusIndicator type={alarmIndicators[state]}>{alarmWords[state]}</StatusIndicator>{' '}
                      since <Time at={since} />: “{title}”
                    </li>
                  ))}
                </ul>
              </ExpandableSection>
            )}
          </SpaceBetween>
        )}
      </Remote>
    </Container>
  )
}
