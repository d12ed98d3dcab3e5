/** Words of access. */
export const access = {
  'signin.demo.more': '更多角色',
  'demo.community_manager': '查看本社区的全部网格',
  'demo.steward': '管理数据装载与人员归并',
  'demo.auditor': '查看谁看了什么，不看数据',
} as const;
