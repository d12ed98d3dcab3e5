/** Words of access. */
export const access = {} as const;
