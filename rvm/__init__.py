"""RobustVideoMatting (Lin et al., WACV 2022, arXiv 2108.11515): recurrent matting of people in video."""

from rvm.network import MattingNetwork

__all__ = ["MattingNetwork"]
