/** Says which mail a report may not have counted. */
import { Time } from '../../components/time.tsx'

/** @param at the first time whose mail may be missing, ISO 8601 */
export const SoFar = ({ at }: { at: string }) => (
  <small>
    Mail since <Time at={at} /> may not be counted yet.
  </small>
)
