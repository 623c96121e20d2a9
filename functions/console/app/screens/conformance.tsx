/** How far a domain conforms with published standards: its MX hosts, its records, and the deliveries of this version. */
import Button from '@cloudscape-design/components/button'
import ContentLayout from '@cloudscape-design/components/content-layout'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { Remote } from '../components/remote.tsx'
import { ViewLink } from '../components/view-link.tsx'
import { useViewState } from '../use-view-state.ts'
import { AllDomains } from './conformance/all-domains.tsx'
import { ConformanceOf } from './conformance/conformance-of.tsx'
import { DomainPicker } from './conformance/domain-picker.tsx'
import { useDomains } from './domains/use-domains.ts'

export default function Conformance() {
  const result = useDomains()
  const [{ domain: chosen = '', all = '' }, change] = useViewState()
  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          description="A domain's MX hosts and records, and the deliveries of this version, compared with published standards."
        >
          Conformance
        </Header>
      }
    >
      <Remote what="the accepted domains" result={result}>
        {(domains) => {
          const names = domains.map(({ domain }) => domain)
          // With one domain there is nothing to choose.
          const domain = chosen === '' && names.length === 1 && all === '' ? (names[0] ?? '') : chosen
          return (
            <SpaceBetween size="l">
              {names.length === 0 ? (
                <div>
                  There is no accepted domain to compare. <ViewLink to="/domains">Add the first</ViewLink>
                </div>
              ) : (
                <div className="not-printed">
                  <SpaceBetween direction="horizontal" size="m" alignItems="end">
                    <DomainPicker
                      domains={names}
                      domain={domain}
                      onChange={(name) => change({ domain: name, all: '', only: '' })}
                    />
                    <Button
                      disabled={all !== ''}
                      onClick={() => change({ domain: '', all: 'yes', only: '' })}
                    >
                      All domains
                    </Button>
                  </SpaceBetween>
                </div>
              )}
              {domain !== '' && <ConformanceOf key={domain} domain={domain} />}
              {all !== '' && <AllDomains domains={names} />}
            </SpaceBetween>
          )
        }}
      </Remote>
    </ContentLayout>
  )
}
