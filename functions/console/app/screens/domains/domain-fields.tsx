/** The fields of an accepted domain, and where its changes are. */
import Container from '@cloudscape-design/components/container'
import Header from '@cloudscape-design/components/header'
import type { AcceptedDomain } from '../../api/types.ts'
import { Pairs } from '../../components/pairs.tsx'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { ViewLink } from '../../components/view-link.tsx'
import { addressesText, modeTexts } from './domain-texts.ts'

export const DomainFields = ({ domain }: { domain: AcceptedDomain }) => (
  <Container header={<Header variant="h2">Settings</Header>}>
    <Pairs
      columns={4}
      items={[
        { label: 'Recipients', value: modeTexts[domain.recipients].label },
        { label: 'Addresses in the list', value: addressesText(domain) },
        {
          label: 'Comment',
          value: domain.comment === '' ? '–' : <TextOfOthers text={domain.comment} />,
        },
        {
          label: 'Changed',
          value: (
            <>
              <Time at={domain.updatedAt} />,{' '}
              <ViewLink to={`/changes?key=${encodeURIComponent(domain.domain)}`}>all changes</ViewLink>
            </>
          ),
        },
      ]}
    />
  </Container>
)
