import Box from '@cloudscape-design/components/box'
import Link from '@cloudscape-design/components/link'
import { consolePath } from '../../../../shared/contract/console.ts'

export const NotFound = () => (
  <Box variant="h1" padding="l">
    There is no such page. <Link href={consolePath}>Overview</Link>
  </Box>
)
