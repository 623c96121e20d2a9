/** What an administrator looks at first. Each number leads to the list behind it. */
import ColumnLayout from '@cloudscape-design/components/column-layout'
import ContentLayout from '@cloudscape-design/components/content-layout'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { Encryption } from './overview/encryption.tsx'
import { Expiring } from './overview/expiring.tsx'
import { HealthStatus } from './overview/health-status.tsx'
import { PartnersAtRisk } from './overview/partners-at-risk.tsx'
import { Refused } from './overview/refused.tsx'
import { UnknownCertificatesCount } from './overview/unknown-certificates-count.tsx'
import { Waiting } from './overview/waiting.tsx'

export default function Overview() {
  return (
    <ContentLayout header={<Header variant="h1">Overview</Header>}>
      <SpaceBetween size="l">
        <HealthStatus />
        <ColumnLayout columns={2}>
          <PartnersAtRisk />
          <Waiting />
          <Encryption />
          <Refused />
          <Expiring />
          <UnknownCertificatesCount />
        </ColumnLayout>
      </SpaceBetween>
    </ContentLayout>
  )
}
