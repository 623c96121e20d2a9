/** Certificates: those of this gateway, and all that were observed. */
import ContentLayout from '@cloudscape-design/components/content-layout'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { ObservedTable } from './observed-table.tsx'
import { OwnCertificates } from './own-certificates.tsx'

export default function Certificates() {
  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          description="The certificates of this gateway, and those that partners presented."
        >
          Certificates
        </Header>
      }
    >
      <SpaceBetween size="l">
        <OwnCertificates />
        <ObservedTable />
      </SpaceBetween>
    </ContentLayout>
  )
}
