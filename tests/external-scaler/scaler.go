package main

import (
	"context"
	"strconv"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// metricName is the one metric every trigger has.
const metricName = "length"

// scaler answers KEDA from the queues.
type scaler struct {
	pb.UnimplementedExternalScalerServer
	queues *queues
}

// IsActive implements the protocol.
func (s *scaler) IsActive(_ context.Context, object *pb.ScaledObjectRef) (*pb.IsActiveResponse, error) {
	found, err := s.find(object)
	if err != nil {
		return nil, err
	}
	return &pb.IsActiveResponse{Result: found.Active}, nil
}

// StreamIsActive implements the protocol: it sends what tests push.
func (s *scaler) StreamIsActive(object *pb.ScaledObjectRef, stream grpc.ServerStreamingServer[pb.IsActiveResponse]) error {
	name, err := queueOf(object)
	if err != nil {
		return err
	}
	pushed, leave := s.queues.subscribe(name)
	defer leave()
	for {
		select {
		case active := <-pushed:
			if err := stream.Send(&pb.IsActiveResponse{Result: active}); err != nil {
				return err
			}
		case <-stream.Context().Done():
			return nil
		}
	}
}

// GetMetricSpec implements the protocol.
func (s *scaler) GetMetricSpec(_ context.Context, object *pb.ScaledObjectRef) (*pb.GetMetricSpecResponse, error) {
	if _, err := s.find(object); err != nil {
		return nil, err
	}
	target, err := strconv.ParseFloat(object.ScalerMetadata["target"], 64)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, "the trigger's `target` must be a number")
	}
	return &pb.GetMetricSpecResponse{MetricSpecs: []*pb.MetricSpec{{MetricName: metricName, TargetSizeFloat: target}}}, nil
}

// GetMetrics implements the protocol.
func (s *scaler) GetMetrics(_ context.Context, request *pb.GetMetricsRequest) (*pb.GetMetricsResponse, error) {
	if request.MetricName != metricName {
		return nil, status.Errorf(codes.NotFound, "there is no metric %q", request.MetricName)
	}
	found, err := s.find(request.ScaledObjectRef)
	if err != nil {
		return nil, err
	}
	s.queues.change(request.ScaledObjectRef.ScalerMetadata["queue"], func(q *queue) { q.Reads++ })
	value := &pb.MetricValue{MetricName: metricName, MetricValueFloat: found.Length}
	return &pb.GetMetricsResponse{MetricValues: []*pb.MetricValue{value}}, nil
}

// find is the queue of a trigger, or the error it is told to answer.
func (s *scaler) find(object *pb.ScaledObjectRef) (queue, error) {
	name, err := queueOf(object)
	if err != nil {
		return queue{}, err
	}
	found := s.queues.change(name, func(*queue) {})
	if found.Fails {
		return queue{}, status.Error(codes.Internal, "told to fail")
	}
	return found, nil
}

func queueOf(object *pb.ScaledObjectRef) (string, error) {
	if name := object.GetScalerMetadata()["queue"]; name != "" {
		return name, nil
	}
	return "", status.Error(codes.InvalidArgument, "the trigger names no `queue`")
}
