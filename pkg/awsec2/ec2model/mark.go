package ec2model

import "strings"

// The tags that this program writes to remember something by. Nobody else may write them.
const (
	// LastFence is the key of the tag that names the fence in force.
	LastFence = "lastfence"
	// FenceBackup begins the keys of the tags that tell what groups there were before a fence.
	FenceBackup = "Original_SG_Backup_"
)

// IsMark reports whether a key is that of such a tag.
func IsMark(key string) bool { return key == LastFence || strings.HasPrefix(key, FenceBackup) }
