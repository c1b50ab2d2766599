package awsec2

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"aws-provider-executor/pkg/protocol"
)

// outOfFiles reports whether an error means that this process, or the machine, may open nothing
// more, neither a file nor a connection. It says nothing of what was to be opened.
func outOfFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// What is said of that, and what to do.
const (
	outOfFilesText = "nothing more can be opened here: too many open files"
	outOfFilesHint = "raise the limit (ulimit -n, LimitNOFILE=), and send the same request again"
)

// sharedFilesOpen fails where a shared file can't be opened for want of descriptors. The SDK passes
// over a file that it can't read, and would go on with another identity.
func sharedFilesOpen() error {
	for _, f := range []struct{ variable, name string }{
		{"AWS_CONFIG_FILE", "config"}, {"AWS_SHARED_CREDENTIALS_FILE", "credentials"},
	} {
		path := os.Getenv(f.variable)
		if home := os.Getenv("HOME"); path == "" && home != "" {
			path = filepath.Join(home, ".aws", f.name)
		}
		if path == "" {
			continue
		}
		opened, err := os.Open(path)
		if err == nil {
			_ = opened.Close()
		}
		if outOfFiles(err) {
			return protocol.Refuse(protocol.Unavailable, "cannot read %s: %s; nothing was changed; %s",
				path, outOfFilesText, outOfFilesHint)
		}
	}
	return nil
}
