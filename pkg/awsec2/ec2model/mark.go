package ec2model

import "strings"

// The tags that this program writes to remember something by. Nobody else may write them.
const (
	// LastFence is the key of the tag that names the fence in force.
	LastFence = "lastfence"
	// FenceBackup begins the keys of the tags that tell what groups there were before a fence.
	FenceBackup = "Original_SG_Backup_"
	// Slot is the key of the tag of an interface that this program made. Its text names the instance
	// and the device index that the interface is for, and the action.
	Slot = marks + "slot"
	// PublicAddress is the key of the tag of an Elastic IP that this program allocated. Its text names
	// the instance, the device index, the interface and the private address that it is for, and the
	// action.
	PublicAddress = marks + "public-address"

	// marks begins the keys of the tags of what this program made.
	marks = "aws-provider-executor:"
)

// IsMark reports whether a key is that of such a tag.
func IsMark(key string) bool {
	return key == LastFence || strings.HasPrefix(key, FenceBackup) || strings.HasPrefix(key, marks)
}
