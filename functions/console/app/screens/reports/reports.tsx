/** The list of reports, with what each answers. */
import Cards from '@cloudscape-design/components/cards'
import ContentLayout from '@cloudscape-design/components/content-layout'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import type { ReportList } from '../../api/types.ts'
import { useRead } from '../../api/use-api.ts'
import { Remote } from '../../components/remote.tsx'
import { ViewLink } from '../../components/view-link.tsx'
import { isReportName, reportFacts } from './report-facts.ts'
import { Summaries } from './summaries.tsx'

export default function Reports() {
  const result = useRead<ReportList>('/reports')
  return (
    <ContentLayout header={<Header variant="h1">Reports</Header>}>
      <SpaceBetween size="m">
        <Remote what="the list of reports" result={result}>
          {({ items }) => (
            <Cards
              items={items}
              trackBy="name"
              cardsPerRow={[{ cards: 1 }, { minWidth: 600, cards: 2 }, { minWidth: 1000, cards: 3 }]}
              ariaLabels={{ itemSelectionLabel: () => '', selectionGroupLabel: 'Reports' }}
              empty="The API has no reports."
              cardDefinition={{
                header: ({ name, title }) => <ViewLink to={`/reports/${name}`}>{title}</ViewLink>,
                sections: [
                  {
                    id: 'question',
                    content: ({ name }) => (isReportName(name) ? reportFacts[name].question : ''),
                  },
                ],
              }}
            />
          )}
        </Remote>
        <Summaries />
      </SpaceBetween>
    </ContentLayout>
  )
}
