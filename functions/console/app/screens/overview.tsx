/** What an administrator looks at first. Each number leads to the list behind it. */
import ColumnLayout from '@cloudscape-design/components/column-layout'
import ContentLayout from '@cloudscape-design/components/content-layout'
import Grid from '@cloudscape-design/components/grid'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { Encryption } from './overview/encryption.tsx'
import { Expiring } from './overview/expiring.tsx'
import { HealthStatus } from './overview/health-status.tsx'
import { PartnersAtRisk } from './overview/partners-at-risk.tsx'
import { Refused } from './overview/refused.tsx'
import { UnknownCertificatesCount } from './overview/unknown-certificates-count.tsx'
import { Waiting } from './overview/waiting.tsx'

const wide = { colspan: { default: 12, s: 8 } }
const narrow = { colspan: { default: 12, s: 4 } }

export default function Overview() {
  return (
    <ContentLayout header={<Header variant="h1">Overview</Header>}>
      <SpaceBetween size="l">
        <Grid gridDefinition={[wide, narrow]}>
          <HealthStatus />
          <SpaceBetween size="l">
            <Expiring />
            <UnknownCertificatesCount />
          </SpaceBetween>
        </Grid>
        <ColumnLayout columns={2}>
          <PartnersAtRisk />
          <Waiting />
          <Encryption />
          <Refused />
        </ColumnLayout>
      </SpaceBetween>
    </ContentLayout>
  )
}
