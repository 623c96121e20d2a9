/** The versions that a writer may replace; `any` accepts every version. */
export type ExpectedVersions = readonly number[] | 'any'
