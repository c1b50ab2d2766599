// Package sdktest holds no code: its tests have the AWS SDK for Go talk to the stand-in. They are
// apart because the SDK takes long to build.
package sdktest
