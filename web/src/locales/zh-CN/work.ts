/** Words of work. */
export const work = {} as const;
