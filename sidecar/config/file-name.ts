/** Names the configuration file, as `--config` does. */
export const CONFIG_ENV = 'GWMARK_CONFIG';

/** Read when no file is named, if it is there. */
export const DEFAULT_CONFIG_FILE = '/etc/gwmark/gwmark.yaml';
