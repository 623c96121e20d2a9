/** All records of a domain as lines of a zone file, and its MTA-STS policy. */
import Box from '@cloudscape-design/components/box'
import ExpandableSection from '@cloudscape-design/components/expandable-section'
import SpaceBetween from '@cloudscape-design/components/space-between'
import type { DomainDns } from '../../api/types.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { CopyButton } from './copy-button.tsx'

export const RecordsToPublish = ({ dns: { records, policy } }: { dns: DomainDns }) => (
  <ExpandableSection headerText="All records to publish" headingTagOverride="h3">
    <SpaceBetween size="m">
      <SpaceBetween size="xs">
        <Box variant="code">
          <TextOfOthers text={records.join('\n')} />
        </Box>
        <CopyButton text={records.join('\n')} label="Copy all records" />
      </SpaceBetween>
      <SpaceBetween size="xs">
        <Box>
          The MTA-STS policy, at <TextOfOthers text={policy.url} />:
        </Box>
        <Box variant="code">
          <TextOfOthers text={policy.text.replaceAll('\r\n', '\n').trimEnd()} />
        </Box>
        <CopyButton text={policy.text} label="Copy the MTA-STS policy" />
      </SpaceBetween>
    </SpaceBetween>
  </ExpandableSection>
)
