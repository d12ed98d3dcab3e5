/** Words of access. */
export const access = {
  'signin.demo.more': 'More roles',
  'demo.community_manager': 'Sees all grids of the own community',
  'demo.steward': 'Looks after deliveries and who is who',
  'demo.auditor': 'Sees who looked at what, and no figures',
} as const;
