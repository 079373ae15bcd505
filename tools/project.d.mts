// Types of project.mjs for the tests; it is plain JavaScript because set-up runs it on Nodes that cannot strip types.
export declare const root: string;
export declare const bundledFolders: readonly string[];
export declare const sourceFolders: readonly string[];
export declare function isNodeCurrent(version?: string): boolean;
export declare function nodeBinary(): string;
export declare function listFiles(folders: readonly string[], accepts?: (path: string) => boolean): string[];
export declare function modified(path: string): number;
