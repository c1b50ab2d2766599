// Package grpcurl has nothing: its module pins a client of gRPC that no one here wrote.
package grpcurl
