import Box from '@cloudscape-design/components/box'

/** In place of a view whose person may have left. */
export const SessionOver = () => (
  <Box padding="l">
    <Box variant="h1">Your session has ended</Box>
    <Box>This view is hidden until you sign in again.</Box>
  </Box>
)
