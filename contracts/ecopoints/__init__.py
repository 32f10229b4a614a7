"""Eco-points and J-Credits (地域エコポイントと J-クレジット): devices, readings, reductions, grants, credits."""
